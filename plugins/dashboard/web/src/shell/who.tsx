import { useSyncExternalStore } from 'react';
import { atLeast, session } from '../api/auth';
import type { Role } from '../api/schema';

/** The login; null when nobody is. */
export const useLogin = () => useSyncExternalStore(session.subscribe, session.get);

/** May this person do what needs `role`? The server decides; the page only does not offer what would be refused. */
export function useMay(role: Role): boolean {
  return atLeast(useLogin()?.role, role);
}
