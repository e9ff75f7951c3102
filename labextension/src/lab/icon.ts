import { LabIcon } from '@jupyterlab/ui-components';

/** Three bars of one room each, in the theme's colour. */
export const icon = new LabIcon({
  name: 'tfmagic:panel',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">' +
    '<path class="jp-icon3" fill="#616161" d="M2 2h12v2H2zm0 10h12v2H2zM2 6h3v4H2zm4.5 0h3v4h-3zM11 6h3v4h-3z"/></svg>'
});
