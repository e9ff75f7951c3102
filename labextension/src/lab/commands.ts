/** What a person can have done, by palette, menu, toolbar or shortcut. */
export const Commands = {
  panel: 'tfmagic:open-panel',
  sidebar: 'tfmagic:open-sidebar',
  load: 'tfmagic:load',
  park: 'tfmagic:park',
  wake: 'tfmagic:wake',
  trace: 'tfmagic:trace',
  drop: 'tfmagic:drop',
  add: 'tfmagic:add-file',
  settings: 'tfmagic:settings'
} as const;
