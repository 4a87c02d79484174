// Many browsers give no storage to a page that is shown in a page of another site, and VS Code does not start without. There it has
// one that lasts as long as the page does. What it keeps on the server, such as settings, stays.
for (const name of ['localStorage', 'sessionStorage']) {
  try {
    void window[name].length;
  } catch {
    const kept = new Map();
    const storage = {
      getItem: (key) => kept.get(String(key)) ?? null,
      setItem: (key, value) => void kept.set(String(key), String(value)),
      removeItem: (key) => void kept.delete(String(key)),
      clear: () => kept.clear(),
      key: (place) => [...kept.keys()][place] ?? null,
      get length() {
        return kept.size;
      },
    };
    Object.defineProperty(window, name, { value: storage });
  }
}
