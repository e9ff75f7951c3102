/** What a person can have done, by palette, menu, toolbar or shortcut. */
export const Commands = {
  panel: 'tfmagic:open-panel',
  sidebar: 'tfmagic:open-sidebar',
  load: 'tfmagic:load'
} as const;
