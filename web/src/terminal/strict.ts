/**
 * xterm.js under a Content-Security-Policy without inline styles. It writes `<style>` elements and `style` attributes, which that
 * refuses; what is set through the CSS object model is allowed. So while a terminal is open, what the page's document makes does the
 * same that way. (Giving xterm.js another document, by its option for that, is not enough: parts of it ask for the page's.)
 */

const createElement = Document.prototype.createElement;

/** Terminals that are open. */
let users = 0;

/** From here on until what is returned is called. */
export function beStrict(): () => void {
  users += 1;
  document.createElement = strictElement as typeof document.createElement;
  return () => {
    users -= 1;
    if (users === 0) Reflect.deleteProperty(document, 'createElement');
  };
}

function strictElement(tag: string, options?: ElementCreationOptions): HTMLElement {
  if (tag === 'style') return styleElement();
  const element = createElement.call(document, tag, options) as HTMLElement;
  if (tag === 'span') element.setAttribute = setAttribute;
  return element;
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

/** Stands where a `<style>` would; its text is a sheet of the document until it is removed. */
function styleElement(): HTMLElement {
  const element = createElement.call(document, 'template') as HTMLElement;
  const sheet = new CSSStyleSheet();
  let text = '';
  Object.defineProperty(element, 'textContent', {
    get: () => text,
    set: (next: string) => {
      text = next;
      sheet.replaceSync(next);
      if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets.push(sheet);
    },
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}
