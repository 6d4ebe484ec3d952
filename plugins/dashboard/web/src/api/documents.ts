// Every GraphQL operation of the page, in one place. documents.test.ts holds each to the schema and to the server's limits.

import { gql } from 'urql';
import type * as S from './schema';

/** What a row of a device list shows. */
export type DeviceRow = Pick<S.Device, 'device_id' | 'serial_no' | 'model' | 'current_firmware' | 'last_seen' | 'ever_seen' | 'status' | 'registration' | 'tags' | 'update_status' | 'update_error'>;
const DEVICE_ROW = `device_id serial_no model current_firmware last_seen ever_seen status registration tags update_status update_error`;

const COUNTERS = `total pending downloading installing completed failed rollback finished in_flight not_counting`;

export type CampaignRow = Pick<S.Campaign, 'campaign_id' | 'name' | 'firmware_version' | 'status' | 'stage' | 'reason' | 'progress' | 'phase' | 'phase_percent' | 'failure_percent' | 'created_by' | 'created_at' | 'updated_at' | 'started_at' | 'completed_at' | 'counters'>;
const CAMPAIGN_ROW = `campaign_id name firmware_version status stage reason progress phase phase_percent failure_percent created_by created_at updated_at started_at completed_at counters { ${COUNTERS} }`;

export type UpdateRow = Pick<S.CampaignDevice, 'campaign_id' | 'campaign_name' | 'device_id' | 'serial_no' | 'status' | 'stage' | 'reason' | 'error_message' | 'attempt' | 'from_version' | 'to_version' | 'progress' | 'bytes' | 'started_at' | 'completed_at' | 'updated_at'>;
const UPDATE_ROW = `campaign_id campaign_name device_id serial_no status stage reason error_message attempt from_version to_version progress bytes started_at completed_at updated_at`;

const ALERT = `alert_id severity kind campaign_id serial_no text count at last_at acknowledged_at acknowledged_by`;

// ---------------------------------------------------------------- overview

export type OverviewData = { overview: S.Overview };
const OVERVIEW = `at
  fleet { total online offline updating quarantined blocked never_seen versions { model version count } updates_succeeded_24h updates_failed_24h update_success_percent active_campaigns open_alerts critical_alerts }
  broker { version started_at ready trouble connections sessions messages_in_per_s messages_out_per_s bytes_in_per_s bytes_out_per_s messages_dropped queue_depth store_used_bytes http_connections
    listeners { name address port } certificates { name subject not_after days_left } }`;
export const OverviewQuery = gql<OverviewData>`query Overview { overview { ${OVERVIEW} } }`;
export const OverviewLive = gql<OverviewData>`subscription OverviewLive { overview { ${OVERVIEW} } }`;

export type AlertItem = Omit<S.Alert, 'campaign' | 'device'>;
export const AlertsQuery = gql<{ alerts: AlertItem[] }, { open?: boolean; first?: number }>`query Alerts($open: Boolean, $first: Int) { alerts(open: $open, first: $first) { ${ALERT} } }`;
export const AlertRaised = gql<{ alertRaised: AlertItem }>`subscription AlertRaised { alertRaised { ${ALERT} } }`;
export const AcknowledgeAlert = gql<{ acknowledgeAlert: AlertItem }, { id: string }>`mutation AcknowledgeAlert($id: ID!) { acknowledgeAlert(id: $id) { ${ALERT} } }`;

// ---------------------------------------------------------------- devices

export interface DeviceFilter {
  search?: string;
  filter?: string;
  model?: string;
  status?: S.DeviceStatus;
  registration?: S.Registration;
  version?: string;
  tag?: string;
}
export type DevicePage = { devicesConnection: { totalCount: number; nodes: DeviceRow[]; pageInfo: Pick<S.PageInfo, 'hasNextPage' | 'endCursor'> } };
export const DevicesQuery = gql<DevicePage, DeviceFilter & { first: number; after?: string | null; skip?: number }>`query Devices($first: Int!, $after: String, $skip: Int, $search: String, $filter: String, $model: String, $status: DeviceStatus, $registration: Registration, $version: String, $tag: String) {
  devicesConnection(first: $first, after: $after, skip: $skip, search: $search, filter: $filter, model: $model, status: $status, registration: $registration, version: $version, tag: $tag) {
    totalCount nodes { ${DEVICE_ROW} } pageInfo { hasNextPage endCursor } } }`;
export const DevicesLive = gql<{ devicesUpdated: DeviceRow }, { ids: string[] }>`subscription DevicesLive($ids: [ID!]!) { devicesUpdated(ids: $ids) { ${DEVICE_ROW} } }`;
export const MenusQuery = gql<{ models: string[]; tags: string[]; fleet: { versions: S.VersionCount[] } }>`query Menus { models tags fleet { versions { model version count } } }`;
export const AddDevice = gql<{ addDevice: DeviceRow }, { serialNo: string; model?: string; tags?: string[] }>`mutation AddDevice($serialNo: String!, $model: String, $tags: [String!]) { addDevice(serialNo: $serialNo, model: $model, tags: $tags) { ${DEVICE_ROW} } }`;

export type ExplanationItem = { why: string; campaign: Pick<S.Campaign, 'campaign_id' | 'name' | 'status' | 'stage' | 'firmware_version'>; update: UpdateRow };
export type DeviceDetail = DeviceRow &
  Pick<S.Device, 'boot_slot' | 'keys_version' | 'security_counter' | 'created_at' | 'updated_at' | 'firmware_history' | 'configuration' | 'configuration_history' | 'sessions'> & {
    current_update: UpdateRow | null;
    updates: UpdateRow[];
    alerts: AlertItem[];
    timeline: { nodes: S.TimelineEvent[]; pageInfo: Pick<S.PageInfo, 'hasNextPage' | 'endCursor'> };
  };
export const DeviceQuery = gql<{ device: DeviceDetail | null }, { id: string }>`query Device($id: ID!) { device(id: $id) { ${DEVICE_ROW}
  boot_slot keys_version security_counter created_at updated_at
  current_update { ${UPDATE_ROW} } updates(first: 20) { ${UPDATE_ROW} }
  firmware_history(first: 20) { version at campaign_id outcome }
  configuration { key value updated_at desired in_sync }
  configuration_history(first: 50) { key old_value new_value source at }
  alerts(first: 20) { ${ALERT} }
  sessions { identity client_id address connected durable protocol filters queued in_flight expiry_s }
  timeline(first: 50) { nodes { at kind text campaign_id status stage reason detail } pageInfo { hasNextPage endCursor } } } }`;
export const TimelineQuery = gql<{ device: { timeline: DeviceDetail['timeline'] } | null }, { id: string; after: string }>`query Timeline($id: ID!, $after: String) { device(id: $id) { timeline(first: 50, after: $after) { nodes { at kind text campaign_id status stage reason detail } pageInfo { hasNextPage endCursor } } } }`;
export const DeviceLive = gql<{ deviceUpdated: DeviceRow & { current_update: UpdateRow | null } }, { id: string }>`subscription DeviceLive($id: ID!) { deviceUpdated(deviceId: $id) { ${DEVICE_ROW} current_update { ${UPDATE_ROW} } } }`;
export const ExplainQuery = gql<{ device: { explain: ExplanationItem[] } | null }, { id: string }>`query Explain($id: ID!) { device(id: $id) { explain { why campaign { campaign_id name status stage firmware_version } update { ${UPDATE_ROW} } } } }`;

export const AcceptDevice = gql<{ acceptDevice: DeviceRow }, { id: string }>`mutation AcceptDevice($id: ID!) { acceptDevice(id: $id) { ${DEVICE_ROW} } }`;
export const BlockDevice = gql<{ blockDevice: DeviceRow }, { id: string; reason?: string }>`mutation BlockDevice($id: ID!, $reason: String) { blockDevice(id: $id, reason: $reason) { ${DEVICE_ROW} } }`;
export const TagDevice = gql<{ tagDevice: DeviceRow }, { id: string; add?: string[]; remove?: string[] }>`mutation TagDevice($id: ID!, $add: [String!], $remove: [String!]) { tagDevice(id: $id, add: $add, remove: $remove) { ${DEVICE_ROW} } }`;
export const RemoveDevice = gql<{ removeDevice: boolean }, { id: string }>`mutation RemoveDevice($id: ID!) { removeDevice(id: $id) }`;
export const SetDesired = gql<{ setDesiredConfiguration: S.Setting[] }, { id: string; settings: S.SettingInput[] }>`mutation SetDesired($id: ID!, $settings: [SettingInput!]!) { setDesiredConfiguration(id: $id, settings: $settings) { key value updated_at desired in_sync } }`;
export const KickSession = gql<{ kickSession: number }, { identity: string }>`mutation KickSession($identity: String!) { kickSession(identity: $identity) }`;

// ---------------------------------------------------------------- firmware

export type FirmwareItem = Omit<S.Firmware, 'campaigns'>;
const FIRMWARE = `firmware_id version model models file_url checksum size_bytes image_bytes security_counter min_from_version signed uploaded_at uploaded_by running_on`;
export const FirmwaresQuery = gql<{ firmwares: FirmwareItem[] }>`query Firmwares { firmwares(first: 100) { ${FIRMWARE} } }`;
export const DeleteFirmware = gql<{ deleteFirmware: boolean }, { id: string }>`mutation DeleteFirmware($id: ID!) { deleteFirmware(id: $id) }`;

// ---------------------------------------------------------------- campaigns

export const CampaignsQuery = gql<{ campaignsConnection: { nodes: CampaignRow[]; pageInfo: Pick<S.PageInfo, 'hasNextPage' | 'endCursor'> } }, { first: number; after?: string | null; status?: S.CampaignStatus }>`query Campaigns($first: Int!, $after: String, $status: CampaignStatus) { campaignsConnection(first: $first, after: $after, status: $status) { nodes { ${CAMPAIGN_ROW} } pageInfo { hasNextPage endCursor } } }`;
export const CampaignsLive = gql<{ campaignsChanged: CampaignRow }>`subscription CampaignsLive { campaignsChanged { ${CAMPAIGN_ROW} } }`;

export type CampaignDetail = CampaignRow &
  Pick<S.Campaign, 'firmware_id' | 'target_criteria' | 'phases' | 'max_in_flight' | 'rate_per_min' | 'dynamic' | 'start_at' | 'expires_at' | 'failures' | 'cohorts' | 'comparison'>;
const CAMPAIGN = `${CAMPAIGN_ROW} firmware_id target_criteria max_in_flight rate_per_min dynamic start_at expires_at
  phases { number percent soak_s success_percent state counters { ${COUNTERS} } }
  failures(first: 10) { reason count example_serial_no error_message } cohorts(first: 10) { from_version total completed failed rollback }
  comparison { window_s alpha gate alarm alarm_at measures { measure harm pairs worse better same evidence needed shown } }`;
export const CampaignQuery = gql<{ campaign: CampaignDetail | null }, { id: string }>`query Campaign($id: ID!) { campaign(id: $id) { ${CAMPAIGN} } }`;
export const CampaignLive = gql<{ campaignProgress: CampaignDetail }, { id: string }>`subscription CampaignLive($id: ID!) { campaignProgress(campaignId: $id) { ${CAMPAIGN} } }`;
export const CampaignDevicesQuery = gql<{ campaign: { devices: { nodes: UpdateRow[]; pageInfo: Pick<S.PageInfo, 'hasNextPage' | 'endCursor'> } } | null }, { id: string; first: number; after?: string | null; status?: S.UpdateStatus; reason?: string }>`query CampaignDevices($id: ID!, $first: Int!, $after: String, $status: UpdateStatus, $reason: String) { campaign(id: $id) { devices(first: $first, after: $after, status: $status, reason: $reason) { nodes { ${UPDATE_ROW} } pageInfo { hasNextPage endCursor } } } }`;
export const CampaignExplain = gql<{ campaign: { explain: { why: string; update: UpdateRow } | null } | null }, { id: string; device: string }>`query CampaignExplain($id: ID!, $device: ID!) { campaign(id: $id) { explain(device: $device) { why update { ${UPDATE_ROW} } } } }`;
export const CampaignEventsQuery = gql<{ campaign: { events: S.CampaignEvent[] } | null }, { id: string; after: number }>`query CampaignEvents($id: ID!, $after: Long) { campaign(id: $id) { events(first: 100, after: $after) { seq at event serial_no status stage reason attempt detail } } }`;
export type Preview = Pick<S.TargetPreview, 'count' | 'online' | 'versions'> & { examples: Pick<S.Device, 'serial_no' | 'current_firmware' | 'status'>[] };
export const PreviewQuery = gql<{ targetPreview: Preview }, { firmwareId: string; criteria: unknown }>`query Preview($firmwareId: ID!, $criteria: JSON) { targetPreview(firmwareId: $firmwareId, targetCriteria: $criteria) { count online versions { model version count } examples { serial_no current_firmware status } } }`;

export const CreateCampaign = gql<{ createCampaign: CampaignRow }, { input: S.CreateCampaignInput }>`mutation CreateCampaign($input: CreateCampaignInput!) { createCampaign(input: $input) { ${CAMPAIGN_ROW} } }`;
export const StartCampaign = gql<{ startCampaign: boolean }, { id: string }>`mutation StartCampaign($id: ID!) { startCampaign(id: $id) }`;
export const PauseCampaign = gql<{ pauseCampaign: CampaignRow }, { id: string; reason?: string }>`mutation PauseCampaign($id: ID!, $reason: String) { pauseCampaign(id: $id, reason: $reason) { ${CAMPAIGN_ROW} } }`;
export const ResumeCampaign = gql<{ resumeCampaign: CampaignRow }, { id: string }>`mutation ResumeCampaign($id: ID!) { resumeCampaign(id: $id) { ${CAMPAIGN_ROW} } }`;
export const AdvanceCampaign = gql<{ advanceCampaign: CampaignRow }, { id: string }>`mutation AdvanceCampaign($id: ID!) { advanceCampaign(id: $id) { ${CAMPAIGN_ROW} } }`;
export type Cancelled = Omit<S.CancelResult, 'campaign'> & { campaign: CampaignRow };
export const CancelCampaign = gql<{ cancelCampaign: Cancelled }, { id: string; reason?: string }>`mutation CancelCampaign($id: ID!, $reason: String) { cancelCampaign(id: $id, reason: $reason) { stopped asked too_late offline campaign { ${CAMPAIGN_ROW} } } }`;
export const CompareCampaign = gql<{ compareCampaign: Pick<S.Comparison, 'window_s'> }, { id: string; window?: string; gate?: boolean }>`mutation CompareCampaign($id: ID!, $window: String, $gate: Boolean) { compareCampaign(id: $id, window: $window, gate: $gate) { window_s } }`;
export const RetryDevice = gql<{ retryDevice: UpdateRow }, { campaignId: string; device: string }>`mutation RetryDevice($campaignId: ID!, $device: ID!) { retryDevice(campaignId: $campaignId, device: $device) { ${UPDATE_ROW} } }`;

// ---------------------------------------------------------------- broker

export const SessionsQuery = gql<{ sessions: S.SessionList }, { identity?: string; first: number }>`query Sessions($identity: String, $first: Int) { sessions(identity: $identity, first: $first) { totalCount nodes { identity client_id address connected durable protocol filters queued in_flight expiry_s } } }`;
export const MetricsQuery = gql<{ metrics: S.Metric[] }, { prefix: string }>`query Metrics($prefix: String!) { metrics(prefix: $prefix) { name labels value } }`;
export const AclExplainQuery = gql<{ aclExplain: S.AclDecision }, { identity: string; action: S.AclAction; topic: string }>`query AclExplain($identity: String!, $action: AclAction!, $topic: String!) { aclExplain(identity: $identity, action: $action, topic: $topic) { allowed rule } }`;

// ---------------------------------------------------------------- people, audit, settings

export const AuditQuery = gql<{ audit: { nodes: S.AuditEntry[]; pageInfo: Pick<S.PageInfo, 'hasNextPage' | 'endCursor'> } }, { first: number; after?: number; actor?: string; action?: string; target?: string }>`query Audit($first: Int, $after: Long, $actor: String, $action: String, $target: String) { audit(first: $first, after: $after, actor: $actor, action: $action, target: $target) { nodes { seq at actor role action target outcome detail request_id } pageInfo { hasNextPage endCursor } } }`;
export const AuditVerifyQuery = gql<{ auditVerify: S.AuditVerdict }>`query AuditVerify { auditVerify { intact rows first_bad_seq why head } }`;
const USER = `user_id name role disabled created_at updated_at`;
export const UsersQuery = gql<{ users: S.User[] }>`query Users { users { ${USER} } }`;
export const CreateUser = gql<{ createUser: S.User }, { name: string; password: string; role: S.Role }>`mutation CreateUser($name: String!, $password: String!, $role: Role!) { createUser(name: $name, password: $password, role: $role) { ${USER} } }`;
export const SetUserRole = gql<{ setUserRole: S.User }, { name: string; role: S.Role }>`mutation SetUserRole($name: String!, $role: Role!) { setUserRole(name: $name, role: $role) { ${USER} } }`;
export const SetUserPassword = gql<{ setUserPassword: boolean }, { name: string; password: string }>`mutation SetUserPassword($name: String!, $password: String!) { setUserPassword(name: $name, password: $password) }`;
export const DisableUser = gql<{ disableUser: S.User }, { name: string; disabled: boolean }>`mutation DisableUser($name: String!, $disabled: Boolean!) { disableUser(name: $name, disabled: $disabled) { ${USER} } }`;
export const RemoveUser = gql<{ removeUser: boolean }, { name: string }>`mutation RemoveUser($name: String!) { removeUser(name: $name) }`;
export const ChangePassword = gql<{ changePassword: boolean }, { current: string; next: string }>`mutation ChangePassword($current: String!, $next: String!) { changePassword(current: $current, new: $next) }`;
export const ApiKeysQuery = gql<{ apiKeys: S.ApiKey[] }>`query ApiKeys { apiKeys { key_id name role scope created_by created_at expires_at revoked_at } }`;
export const CreateApiKey = gql<{ createApiKey: S.NewApiKey }, { name: string; role: S.Role; expires?: string }>`mutation CreateApiKey($name: String!, $role: Role!, $expires: String) { createApiKey(name: $name, role: $role, expires: $expires) { key_id token } }`;
export const RevokeApiKey = gql<{ revokeApiKey: boolean }, { id: string }>`mutation RevokeApiKey($id: ID!) { revokeApiKey(id: $id) }`;
export const ConfigurationQuery = gql<{ configuration: S.ConfigurationEntry[] }>`query Configuration { configuration { key value written unit doc } }`;
