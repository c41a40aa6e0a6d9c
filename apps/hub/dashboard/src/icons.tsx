/** Line icons on a 24-unit grid, and the mark. Decorative: the text beside them or the label of the control speaks. */
const PATHS = {
  alert: 'M12 3.5 21.5 20h-19L12 3.5ZM12 10v4.5M12 17.3v.2',
  camera: 'M3 8.5h4l1.5-2.5h7L17 8.5h4v11H3v-11ZM12 17a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z',
  check: 'm4.5 12.5 5 5 10-11',
  chip: 'M6.5 6.5h11v11h-11v-11ZM10 10h4v4h-4v-4ZM9.5 3v3.5M14.5 3v3.5M9.5 17.5V21M14.5 17.5V21M3 9.5h3.5M3 14.5h3.5M17.5 9.5H21M17.5 14.5H21',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5.3l3.5 2',
  close: 'm6 6 12 12M18 6 6 18',
  edit: 'M4 20h4L19.5 8.5a2 2 0 0 0 0-2.8l-1.2-1.2a2 2 0 0 0-2.8 0L4 16v4ZM13.5 6.5l4 4',
  gauge: 'M4.5 18.5a9 9 0 1 1 15 0M12 14.5l4-5M12 16a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  image: 'M3.5 5h17v14h-17V5ZM3.5 16l5-5 4.5 4.5 2.5-2.5 5 5M15.5 9.5v.1',
  imageOff: 'M7.5 5h13v13M16.5 19h-13V7M3.5 16l5-5 3 3M15.5 9.5v.1M3 3l18 18',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5.5M12 7.6v.2',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1',
  live: 'M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM7.8 16.2a6 6 0 0 1 0-8.4M16.2 7.8a6 6 0 0 1 0 8.4M5 19a10 10 0 0 1 0-14M19 5a10 10 0 0 1 0 14',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z',
  offline:
    'M3 3l18 18M5 12.5a10 10 0 0 1 4.5-2.6M2 9a15 15 0 0 1 4.5-2.9M19 12.5a10 10 0 0 0-3-2M22 9a15 15 0 0 0-11.5-4M8.5 16a5 5 0 0 1 6 0M12 19.5v.1',
  pause: 'M8.5 5v14M15.5 5v14',
  pin: 'M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11ZM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  play: 'M7 4.5 19 12 7 19.5v-15Z',
  plus: 'M12 5v14M5 12h14',
  rules: 'M12 3l7.5 3v5.5c0 4.5-3 7.8-7.5 9.5-4.5-1.7-7.5-5-7.5-9.5V6L12 3ZM8.5 12l2.5 2.5 4.5-5',
  screen: 'M3 5h18v11.5H3V5ZM8.5 20h7M12 16.5V20',
  search: 'M10.5 17.5a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM15.7 15.7 21 21',
  similar: 'M4 4h7v7H4V4ZM13 13h7v7h-7v-7ZM16.5 4v6M13.5 7h6M7.5 14v6M4.5 17h6',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.5V5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3l1.7 1.7M17 17l1.7 1.7M5.3 18.7 7 17M17 7l1.7-1.7',
  tag: 'M4 4h7.5l8.5 8.5-7.5 7.5L4 11.5V4ZM8 8v.1',
  trash: 'M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10.5 11v5.5M13.5 11v5.5',
  user: 'M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 20.5c.8-4 4-6 8-6s7.2 2 8 6',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** A lens with the line of sight through it. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <circle class="mark-line" cx="16" cy="16" r="7.5" />
      <circle class="mark-dot" cx="16" cy="16" r="2.5" />
      <path class="mark-line" d="M2.5 16h4M25.5 16h4" />
    </svg>
  )
}
