/** What ends a deployment with a word to the person who runs it, and no stack: everything else that is thrown is a bug of ours. */
export class DeployError extends Error {
  override readonly name = 'DeployError';
}
