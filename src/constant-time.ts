/** Compares secrets without telling, by how long it takes, how much of them was right. Called wherever a secret is checked. */

/** False at once for another length: how long an HMAC is is no secret. */
export function isEqualInConstantTime(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && crypto.subtle.timingSafeEqual(one, other);
}
