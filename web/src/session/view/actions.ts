/** What items can make the page do. */
export interface Actions {
  showTurn: (turn: number) => void;
  followUp: () => void;
  open: (drawer: string) => void;
}
