/** What the real server refuses, in its form. */
export class Refused extends Error {
  constructor(status, code, detail, whatToDo) {
    super(detail);
    Object.assign(this, { status, code, whatToDo });
  }
}
