/** Numbers and times as people read them. */

/** 42 s, 3:07, 1:02:09. Ticks by whole seconds. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** 90 ms, 1.4 s, 12 s, then as `duration`: for things that took a while rather than those that still do. */
export function took(ms: number): string {
  if (ms < 100) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  return duration(ms);
}

/** 950, 12.3k, 1.2M. */
export function count(n: number): string {
  if (n < 1_000) return String(n);
  if (n < 999_500) return `${trimZero((n / 1_000).toFixed(n < 9_950 ? 1 : 0))}k`;
  return `${trimZero((n / 1_000_000).toFixed(1))}M`;
}

/** $1.20, and what is less than a cent $0.0042; of millionths. */
export function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(micros > 0 && micros < 10_000 ? 4 : 2)}`;
}

/** 512 bytes, 1.5 MiB, 4 GiB. */
export function size(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1024 ? 0 : Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return power === 0 ? `${bytes} bytes` : `${trimZero((bytes / 1024 ** power).toFixed(1))} ${units[power - 1]}`;
}

/** now, 5 min, 3 h, 2 d, then a date. */
export function ago(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < 60) return 'now';
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d`;
  return new Date(iso).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}

/** 14:03, or with seconds where a title attribute has room. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
}

export function exactTime(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The last part of a path; the rest is told in full elsewhere. */
export function baseName(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) || path;
}

export function shortCommit(id: string): string {
  return id.slice(0, 7);
}

function trimZero(text: string): string {
  return text.replace(/\.0$/, '');
}
