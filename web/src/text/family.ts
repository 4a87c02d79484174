/** What the page says of parents and children; apart from the other words, so that it is loaded with them. */
export const familyWords = {
  title: 'Family',
  childOf: 'Child of',
  children: 'Children',
  cost: (dollars: string) => `They have cost ${dollars}, which counts for this session\u2019s budget.`,
  loading: 'Looking\u2026',
};
