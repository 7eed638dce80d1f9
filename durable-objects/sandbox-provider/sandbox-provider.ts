import { DurableObject } from 'cloudflare:workers';

export class SandboxProvider extends DurableObject<Env> {}
