/** Ids of the dev double. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
let made = 0;

/** Sorts by time, as a ULID does. */
export function ulid() {
  let time = Date.now() * 1000 + (made++ % 1000);
  let text = '';
  for (let i = 0; i < 12; i += 1) {
    text = DIGITS[time % 32] + text;
    time = Math.floor(time / 32);
  }
  for (let i = 0; i < 14; i += 1) text += DIGITS[Math.floor(Math.random() * 32)];
  return `0${text.slice(1)}`;
}
