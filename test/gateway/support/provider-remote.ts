/** A simulated provider as a test in the Workers runtime sees it: an account of its own, told over HTTP what to do. */
import type { Call, FaultRule, WireFault } from './provider-server.ts';

export class RemoteAccount {
  readonly url: string;
  readonly apiKey: string;

  constructor(url: string) {
    this.url = url;
    this.apiKey = `sk_test_${crypto.randomUUID()}`;
  }

  /** The next `times` calls whose method and path begin with `on` meet `fault`. */
  async fail(on: string, fault: WireFault, times = 1): Promise<void> {
    const faults: FaultRule[] = [{ on, fault, times }];
    await this.#tell({ faults });
  }

  async set(option: string, value: unknown): Promise<void> {
    await this.#tell({ set: { [option]: value } });
  }

  async read<Books>(): Promise<{ calls: Call[]; warnings: string[]; books: Books }> {
    const response = await fetch(`${this.url}/_test/${this.apiKey}`);
    return await response.json();
  }

  async #tell(body: object): Promise<void> {
    await fetch(`${this.url}/_test/${this.apiKey}`, { method: 'POST', body: JSON.stringify(body) });
  }
}
