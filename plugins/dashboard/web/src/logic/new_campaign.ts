// The wizard's form: what it checks, and what it becomes for createCampaign and targetPreview.

import { z } from './zod';
import type { CreateCampaignInput } from '../api/schema';

const percentIn = z.coerce.number({ error: 'A number of percent' }).gt(0, 'More than 0 %').max(100, 'At most 100 %');

export const phase = z.object({
  percent: percentIn,
  soak_min: z.coerce.number({ error: 'Minutes' }).min(0, 'Not negative').max(10080, 'At most a week'),
  success_percent: z.coerce.number({ error: 'Percent' }).min(0, 'Not negative').max(100, 'At most 100 %'),
});

export const form = z
  .object({
    name: z.string().trim().min(1, 'Give it a name that its colleagues will know it by').max(120, 'At most 120 characters'),
    firmware_id: z.string().min(1, 'Choose what to ship'),
    model: z.string(),
    fw_version: z.string().trim().refine((v) => !v || /^(<=?|>=?|=|!=)?\s*\S+(\s*(,|\s)\s*(<=?|>=?|=|!=)?\s*\S+)*$/.test(v), 'A version or a range, such as < v1.1.0'),
    tags: z.array(z.string()),
    devices: z.string(),
    gated: z.boolean(),
    phases: z.array(phase),
    max_in_flight: z.union([z.literal(''), z.coerce.number().int('A whole number').min(1, 'At least 1')]),
    rate_per_min: z.union([z.literal(''), z.coerce.number().int('A whole number').min(0, 'Not negative')]),
    start_at: z.string(),
    expires_at: z.string(),
    dynamic: z.boolean(),
    allow_downgrade: z.boolean(),
    supersedes: z.boolean(),
  })
  .superRefine((v, ctx) => {
    if (v.gated) {
      v.phases.forEach((p, i) => {
        const before = v.phases[i - 1];
        if (before && p.percent <= before.percent) ctx.addIssue({ code: 'custom', path: ['phases', i, 'percent'], message: 'More than the phase before' });
      });
      if (v.phases.at(-1)?.percent !== 100) ctx.addIssue({ code: 'custom', path: ['phases'], message: 'The last phase is 100 %' });
    }
    if (v.start_at && v.expires_at && v.expires_at <= v.start_at) ctx.addIssue({ code: 'custom', path: ['expires_at'], message: 'After the start' });
  });

export type Form = z.infer<typeof form>;

/** 1, 10, 50, 100 % with gates: what the broker does when nobody says otherwise. */
export const empty: Form = {
  name: '',
  firmware_id: '',
  model: '',
  fw_version: '',
  tags: [],
  devices: '',
  gated: true,
  phases: [1, 10, 50, 100].map((percent) => ({ percent, soak_min: 10, success_percent: 95 })),
  max_in_flight: '',
  rate_per_min: '',
  start_at: '',
  expires_at: '',
  dynamic: false,
  allow_downgrade: false,
  supersedes: false,
};

/** Serial numbers from a text: one a line, or with commas or blanks between. */
export const serials = (text: string) => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];

/** The criteria's JSON object; empty members are left out, `{}` is every accepted device of the firmware's models. */
export function criteria(v: Pick<Form, 'model' | 'fw_version' | 'tags' | 'devices'>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (v.model) out.model = v.model;
  if (v.fw_version.trim()) out.fw_version = v.fw_version.trim();
  if (v.tags.length) out.tags = v.tags;
  const named = serials(v.devices);
  if (named.length) out.devices = named;
  return out;
}

/** `datetime-local` speaks in the viewer's zone; the broker wants UTC. */
const utc = (local: string) => (local ? new Date(local).toISOString() : undefined);

export function toInput(v: Form, start: boolean): CreateCampaignInput {
  const input: CreateCampaignInput = {
    name: v.name.trim(),
    firmware_id: v.firmware_id,
    target_criteria: JSON.stringify(criteria(v)),
    dynamic: v.dynamic,
    allow_downgrade: v.allow_downgrade,
    supersedes: v.supersedes,
    start,
  };
  if (v.gated) input.phases = v.phases.map((p) => ({ percent: p.percent, soak_s: Math.round(p.soak_min * 60), success_percent: p.success_percent }));
  else input.without_phases = true;
  if (v.max_in_flight !== '') input.max_in_flight = v.max_in_flight;
  if (v.rate_per_min !== '') input.rate_per_min = v.rate_per_min;
  if (v.start_at) input.start_at = utc(v.start_at);
  if (v.expires_at) input.expires_at = utc(v.expires_at);
  return input;
}

/** How many devices each phase adds: a phase is a threshold on the whole. */
export function added(phases: { percent: number }[], total: number): number[] {
  let before = 0;
  return phases.map((p) => {
    const upto = Math.round((total * Math.min(100, Math.max(0, Number(p.percent) || 0))) / 100);
    const more = Math.max(0, upto - before);
    before = Math.max(before, upto);
    return more;
  });
}
