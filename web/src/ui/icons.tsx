/** Line icons on a 16-pixel grid, drawn for this page. They repeat what a word next to them says, or their button has a label. */

const PATHS = {
  back: 'M9.500 3.500 5 8l4.500 4.500',
  chevron: 'M6 4l4 4-4 4',
  down: 'M8 3v9.500M4 9l4 4 4-4',
  check: 'M3.500 8.500l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  people:
    'M6 8a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM1.500 13c0-2.200 2-3.500 4.500-3.500s4.500 1.300 4.500 3.500M10.500 3.300a2.300 2.300 0 0 1 0 4.400M12.300 9.900c1.400.5 2.200 1.600 2.200 3.100',
  coins:
    'M6 9.500a4 2 0 1 0 0-4 4 2 0 0 0 0 4zM2 7.500v4c0 1.100 1.800 2 4 2s4-.9 4-2v-4M10 10.800c2.300 0 4-.9 4-2v-4M6.300 5.500c-.2-.2-.3-.5-.3-.7 0-1.100 1.800-2 4-2s4 .9 4 2-1.700 2-4 2',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.500v3.500M8 5v.01',
  folder: 'M2 4.500a1 1 0 0 1 1-1h3.200l1.300 1.500H13a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1z',
  plus: 'M8 3v10M3 8h10',
  pause: 'M5 4v8M11 4v8',
  play: 'M5 3.500v9l7-4.500z',
  stop: 'M4.500 4.500h7v7h-7z',
  copy: 'M5.500 5.500v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.500 5.500h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1z',
  send: 'M8 13V3.500M4 7.500l4-4 4 4',
  clip: 'M12.500 7.200 7.600 12.100a2.800 2.800 0 0 1-4-4l5.300-5.300a1.900 1.900 0 0 1 2.700 2.700l-5.200 5.200a.9.9 0 0 1-1.300-1.300l4.700-4.700',
  search: 'M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9zM10.500 10.500l3 3',
  branch: 'M5 3.500v9M5 9c0-3 6-1.500 6-4.500M5 3.500a1 1 0 1 1 0-.01M5 13a1 1 0 1 1 0-.01M11 4a1 1 0 1 1 0-.01',
  diff: 'M8 3v6M5 6h6M5 12.500h6',
  commit: 'M1.500 8h4M10.500 8h4M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z',
  rewind: 'M3 3.500V7h3.500M3.300 7A5.200 5.200 0 1 1 3 9.500M8 5.500V8.500l2 1.200',
  fork: 'M8 13.500V9M4.500 4.500c0 3.500 3.500 2 3.500 4.500M11.500 4.500c0 3.500-3.500 2-3.500 4.500M4.500 3.500a1 1 0 1 1 0-.01M11.500 3.500a1 1 0 1 1 0-.01',
  merge: 'M5 4.500v7M5 5c0 4 6 2 6 5.500M5 4a1 1 0 1 1 0-.01M5 13a1 1 0 1 1 0-.01M11 12a1 1 0 1 1 0-.01',
  more: 'M3.500 8h.01M8 8h.01M12.500 8h.01',
  sun: 'M8 10.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.500 3.500l.7.7M11.800 11.800l.7.7M12.500 3.500l-.7.7M4.200 11.800l-.7.7',
  moon: 'M13 9.500A5.500 5.500 0 1 1 6.500 3a4.500 4.500 0 0 0 6.500 6.500z',
  settings:
    'M2.500 4.500h6M12 4.500h1.500M10.200 6.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400zM2.500 11.500h1.500M7.500 11.500h6M5.800 13.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400z',
  keyboard: 'M2 4.500h12v7H2zM4.500 7h.01M7 7h.01M9.500 7h.01M11.500 7h.01M5.500 9.500h5',
  clock: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.200l2 1.300',
  alert: 'M8 2.500l6 10.500H2zM8 6.500v3M8 11.200v.01',
  hand: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.300 6.300a1.700 1.700 0 1 1 2.500 1.500c-.6.3-.8.7-.8 1.200M8 11.200v.01',
  trash: 'M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500l.5 8.500h6l.5-8.500',
  read: 'M4 2.500h5.500L12.500 5.500v8H4zM9.500 2.500v3h3',
  edit: 'M3.500 12.500l.5-2.500 6.500-6.500 2 2L6 12z',
  execute: 'M2.500 3.500h11v9h-11zM5 6.500l1.500 1.500L5 9.500M8.500 10H11',
  code: 'M5.500 4.500 2 8l3.500 3.500M10.500 4.500 14 8l-3.500 3.500M9 3.500l-2 9',
  fetch: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM2 8h12M8 2c2 2 2.500 4 2.500 6S10 12 8 14c-2-2-2.500-4-2.500-6S6 4 8 2z',
  think: 'M3 4.500h10M3 8h7M3 11.500h4',
  move: 'M2.500 8h10M9 4.500L12.500 8 9 11.500',
  other: 'M8 9.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3z',
  out: 'M9 3h4v4M13 3L7.500 8.500M11.500 9.500v3h-8v-8h3',
  again: 'M12.800 7A5 5 0 1 0 12.500 10M13 3.500V7H9.500',
  list: 'M6 4h7.500M6 8h7.500M6 12h7.500M2.500 4h.01M2.500 8h.01M2.500 12h.01',
  box: 'M2.500 5L8 2l5.500 3v6L8 14l-5.500-3zM2.500 5L8 8l5.500-3M8 8v6',
  spinner: 'M8 2a6 6 0 1 1-6 6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, className = '' }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      className={`size-4 shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.35"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark of the house. */
export function Lamp({ className = '' }: { className?: string }) {
  return (
    <svg viewBox="0 0 20 20" className={`size-5 shrink-0 ${className}`} aria-hidden="true">
      <path d="M10 1v3.500" stroke="var(--lamp-fill)" strokeWidth="1.300" strokeLinecap="round" />
      <path d="M4 10.500a6 6 0 0 1 12 0z" fill="var(--lamp-fill)" />
      <path d="M8 11.700a2 2 0 0 0 4 0z" fill="var(--lamp-fill)" />
      <path d="M5 12.500 2 18.500h16l-3-6-1.700 0a3.400 3.400 0 0 1-6.600 0z" fill="var(--lamp-fill)" opacity=".22" />
    </svg>
  );
}
