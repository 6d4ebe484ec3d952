import { z } from './zod';

const octets = (text: string) => new TextEncoder().encode(text).length;

/** What the server takes as a new password: 12 to 256 bytes of UTF-8. */
export const newPassword = z
  .string()
  .refine((p) => octets(p) >= 12, 'At least 12 characters')
  .refine((p) => octets(p) <= 256, 'At most 256 bytes');
