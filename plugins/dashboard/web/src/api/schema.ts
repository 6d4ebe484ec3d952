// Made by scripts/types.mjs from ../graphql/schema.graphqls. Change that, then run `npm run types`.

export type Role = 'VIEWER' | 'OPERATOR' | 'ADMIN';

export interface Device {
  device_id: string;
  serial_no: string;
  model: string;
  current_firmware: string;
  last_seen: string;
  status: DeviceStatus;
  /** Whether the device may take part in updates. */
  registration: Registration;
  /** False: it was imported and has not been seen yet; last_seen is then created_at. */
  ever_seen: boolean;
  tags: string[];
  boot_slot: string;
  keys_version: number | null;
  security_counter: number | null;
  created_at: string;
  updated_at: string;
  /** How its newest update stands, for people: "Up to date", "Downloading 45 %", "Update Failed - Rolled Back"; null without one. */
  update_status: string | null;
  /** The error of that update, when it has one. */
  update_error: string | null;
  /** The update under way, if any. */
  current_update: CampaignDevice | null;
  /** Its updates, newest first. */
  updates: CampaignDevice[];
  /** What ran on it since when, newest first; from its updates. */
  firmware_history: FirmwareChange[];
  /** Events, newest first: updates, settings, alerts. */
  timeline: TimelineConnection;
  configuration: Setting[];
  configuration_history: SettingChange[];
  alerts: Alert[];
  /** Its MQTT sessions of this moment. */
  sessions: Session[];
  /** Why has this device not updated? One sentence per campaign that is about it, newest first. */
  explain: Explanation[];
}

export type DeviceStatus = 'ONLINE' | 'OFFLINE' | 'UPDATING';

export type Registration = 'ACCEPTED' | 'QUARANTINED' | 'BLOCKED' | 'IMPORTED';

export interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

export interface DeviceConnection {
  edges: DeviceEdge[];
  nodes: Device[];
  pageInfo: PageInfo;
  /** All devices that match; up to some seconds old in large fleets. */
  totalCount: number;
}

export interface DeviceEdge {
  cursor: string;
  node: Device;
}

export interface FirmwareChange {
  version: string;
  at: string | null;
  campaign_id: string | null;
  /** completed, or rollback: it went back to this version. */
  outcome: string;
}

export interface TimelineConnection {
  nodes: TimelineEvent[];
  pageInfo: PageInfo;
}

export interface TimelineEvent {
  at: string;
  kind: TimelineKind;
  /** One sentence. */
  text: string;
  campaign_id: string | null;
  status: string | null;
  stage: string | null;
  reason: string | null;
  detail: string | null;
}

export type TimelineKind = 'UPDATE' | 'SETTING' | 'ALERT';

export interface Setting {
  key: string;
  /** As the device reported it; null when it never did. */
  value: string | null;
  updated_at: string | null;
  /** As it should be; null when nobody asked. */
  desired: string | null;
  in_sync: boolean;
}

export interface SettingChange {
  key: string;
  old_value: string | null;
  new_value: string;
  /** device, or desired. */
  source: string;
  at: string;
}

export interface Explanation {
  campaign: Campaign;
  update: CampaignDevice;
  why: string;
}

export interface Campaign {
  campaign_id: string;
  name: string;
  firmware_version: string;
  status: CampaignStatus;
  progress: number | null;
  firmware_id: string;
  firmware: Firmware | null;
  target_criteria: unknown;
  stage: string;
  reason: string;
  /** Which phase is open, from 1. */
  phase: number;
  phase_percent: number;
  /** The phases in order; empty when the campaign was made with phases: none. */
  phases: Phase[];
  max_in_flight: number;
  rate_per_min: number;
  dynamic: boolean;
  counters: CampaignCounters;
  failure_percent: number;
  created_by: string;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  completed_at: string | null;
  start_at: string | null;
  expires_at: string | null;
  /** The update of each device, by serial number. */
  devices: CampaignDeviceConnection;
  /** One device's row with the reason it waits. */
  explain: Explanation | null;
  /** Why devices failed, most frequent first. */
  failures: FailureReason[];
  /** How the versions the devices came from fared, largest first. */
  cohorts: Cohort[];
  /** Its updated devices against those that still wait; null when they are not compared (compareCampaign). */
  comparison: Comparison | null;
  /** In order of seq. */
  events: CampaignEvent[];
}

export type CampaignStatus = 'PENDING' | 'ACTIVE' | 'COMPLETED' | 'CANCELLED';

export interface CampaignConnection {
  edges: CampaignEdge[];
  nodes: Campaign[];
  pageInfo: PageInfo;
}

export interface CampaignEdge {
  cursor: string;
  node: Campaign;
}

export interface Phase {
  /** From 1. */
  number: number;
  percent: number;
  /** Seconds to watch before the next phase may open. */
  soak_s: number;
  /** What must have succeeded before it opens. */
  success_percent: number;
  state: PhaseState;
  /** Rows of the devices that this phase adds. */
  counters: CampaignCounters;
}

export type PhaseState = 'WAITING' | 'OPEN' | 'PASSED';

export interface CampaignCounters {
  total: number;
  pending: number;
  downloading: number;
  installing: number;
  completed: number;
  failed: number;
  rollback: number;
  finished: number;
  in_flight: number;
  /** Of the failed: those that are nobody's failure (cancelled, superseded, not applicable, device removed). */
  not_counting: number;
}

export type UpdateStatus = 'PENDING' | 'DOWNLOADING' | 'INSTALLING' | 'COMPLETED' | 'FAILED' | 'ROLLBACK';

export interface CampaignDevice {
  campaign_id: string;
  campaign_name: string;
  device_id: string;
  serial_no: string;
  device: Device | null;
  status: UpdateStatus;
  stage: string;
  reason: string;
  error_message: string | null;
  attempt: number;
  command_id: string | null;
  from_version: string;
  to_version: string;
  /** Percent of the download; null before it reports any. */
  progress: number | null;
  bytes: number;
  started_at: string | null;
  completed_at: string | null;
  updated_at: string;
}

export interface CampaignDeviceConnection {
  edges: CampaignDeviceEdge[];
  nodes: CampaignDevice[];
  pageInfo: PageInfo;
}

export interface CampaignDeviceEdge {
  cursor: string;
  node: CampaignDevice;
}

export interface FailureReason {
  reason: string;
  count: number;
  example_serial_no: string;
  error_message: string | null;
}

export interface Cohort {
  from_version: string;
  total: number;
  completed: number;
  failed: number;
  rollback: number;
}

export interface Comparison {
  /** How long a pair is watched. */
  window_s: number;
  /** The chance of a false alarm, over all measures and looks. */
  alpha: number;
  /** True: a difference that is shown pauses the campaign. */
  gate: boolean;
  /** The measure in which the updated devices are worse; null: none so far. */
  alarm: string | null;
  alarm_at: string | null;
  measures: ComparisonMeasure[];
}

export interface ComparisonMeasure {
  /** reconnects, errors, or field:NAME for a number in heartbeats. */
  measure: string;
  /** Which way is the harm. */
  harm: Harm;
  pairs: number;
  /** Pairs in which the updated device is worse, better, or the same. */
  worse: number;
  better: number;
  same: number;
  /** Grows with pairs that are worse; 1 = none. */
  evidence: number;
  /** What the evidence must reach. */
  needed: number;
  shown: boolean;
}

export type Harm = 'HIGHER' | 'LOWER';

export interface CampaignEvent {
  seq: number;
  at: string;
  /** campaign, or device. */
  event: string;
  serial_no: string | null;
  status: string;
  stage: string;
  reason: string;
  attempt: number | null;
  detail: unknown | null;
}

export interface CancelResult {
  campaign: Campaign;
  stopped: number;
  asked: number;
  too_late: number;
  offline: number;
}

export interface TargetPreview {
  count: number;
  online: number;
  /** The versions they run, largest first. */
  versions: VersionCount[];
  examples: Device[];
}

export interface Firmware {
  firmware_id: string;
  version: string;
  model: string;
  models: string[];
  file_url: string;
  /** sha256:... */
  checksum: string;
  size_bytes: number;
  image_bytes: number;
  security_counter: number;
  min_from_version: string;
  signed: boolean;
  uploaded_at: string;
  uploaded_by: string;
  /** Devices that run this version now. */
  running_on: number;
  campaigns: Campaign[];
}

export interface FleetOverview {
  total: number;
  online: number;
  offline: number;
  updating: number;
  quarantined: number;
  blocked: number;
  never_seen: number;
  /** What the fleet runs, largest first. */
  versions: VersionCount[];
  /** Of the updates that ended in the last 24 hours. */
  updates_succeeded_24h: number;
  updates_failed_24h: number;
  /** Percent; null when none ended. */
  update_success_percent: number | null;
  active_campaigns: number;
  open_alerts: number;
  critical_alerts: number;
}

export interface VersionCount {
  model: string;
  version: string;
  count: number;
}

export interface BrokerOverview {
  version: string;
  started_at: string;
  ready: boolean;
  /** Why it is not ready, one reason each. */
  trouble: string[];
  connections: number;
  sessions: number;
  messages_in_per_s: number;
  messages_out_per_s: number;
  bytes_in_per_s: number;
  bytes_out_per_s: number;
  messages_dropped: number;
  queue_depth: number;
  store_used_bytes: number;
  http_connections: number;
  listeners: Listener[];
  certificates: Certificate[];
}

export interface Listener {
  name: string;
  address: string;
  port: number;
}

export interface Certificate {
  name: string;
  subject: string;
  not_after: string;
  days_left: number;
}

export interface Metric {
  name: string;
  labels: string;
  value: number;
}

export interface Overview {
  at: string;
  fleet: FleetOverview;
  broker: BrokerOverview;
}

export interface Session {
  identity: string;
  client_id: string;
  address: string;
  connected: boolean;
  durable: boolean;
  /** 4 = MQTT 3.1.1, 5 = MQTT 5. */
  protocol: number;
  filters: number;
  queued: number;
  in_flight: number;
  expiry_s: number;
}

export interface SessionList {
  nodes: Session[];
  totalCount: number;
}

export interface AclDecision {
  allowed: boolean;
  /** The rule that said so. */
  rule: string;
}

export type AclAction = 'PUBLISH' | 'SUBSCRIBE' | 'RECEIVE';

export interface Alert {
  alert_id: string;
  severity: Severity;
  kind: string;
  campaign_id: string | null;
  serial_no: string | null;
  text: string;
  /** How often it was raised while open. */
  count: number;
  at: string;
  last_at: string;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  campaign: Campaign | null;
  device: Device | null;
}

export type Severity = 'CRITICAL' | 'WARNING';

export interface AuditEntry {
  seq: number;
  at: string;
  actor: string;
  role: string;
  action: string;
  target: string;
  outcome: string;
  detail: unknown;
  request_id: string;
}

export interface AuditConnection {
  nodes: AuditEntry[];
  pageInfo: PageInfo;
}

export interface AuditVerdict {
  intact: boolean;
  rows: number;
  first_bad_seq: number | null;
  why: string;
  head: string;
}

export interface User {
  user_id: string;
  name: string;
  role: Role;
  disabled: boolean;
  created_at: string;
  updated_at: string;
}

export interface Viewer {
  name: string;
  role: Role;
  /** user, key, or control. */
  kind: string;
}

export interface ApiKey {
  key_id: string;
  name: string;
  role: Role;
  scope: string;
  created_by: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export interface NewApiKey {
  key_id: string;
  token: string;
}

export interface ConfigurationEntry {
  key: string;
  value: string;
  /** False: this is the default. */
  written: boolean;
  unit: string;
  doc: string;
}

export interface CreateCampaignInput {
  name: string;
  firmware_id: string;
  /** The document's text form of a JSON object: {"model": "TX-100", "fw_version": "< v1.1.0"}. */
  target_criteria?: string | null;
  /** Percents (10 means 10 %), in order; absent = 1, 10, 50, 100 with gates. */
  phases?: PhaseInput[] | null;
  /** True: no phases, everyone at once. Audited. */
  without_phases?: boolean | null;
  max_in_flight?: number | null;
  rate_per_min?: number | null;
  start_at?: string | null;
  expires_at?: string | null;
  /** True: devices that come to match later take part too. */
  dynamic?: boolean | null;
  allow_downgrade?: boolean | null;
  supersedes?: boolean | null;
  /** True: start at once. */
  start?: boolean | null;
}

export interface PhaseInput {
  percent: number;
  soak_s?: number | null;
  success_percent?: number | null;
}

export interface SettingInput {
  key: string;
  value: string;
}

export interface ComparedFieldInput {
  name: string;
  harm: Harm;
}
