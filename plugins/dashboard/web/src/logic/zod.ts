// zod as every form here uses it: checks are interpreted, because compiling them would need eval, which the server's policy
// forbids. Only pages with a form fetch it.

import { z } from 'zod';

z.config({ jitless: true });

export { z };
