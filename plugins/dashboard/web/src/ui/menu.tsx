// Mantine's menu as this page needs it: inside the landmark of the content, the focus on its first item, and a tone for
// what destroys that can be read (Mantine's red has 3.3:1 on white).

import { Menu as Mantine, type MenuProps } from '@mantine/core';

export function Menu(props: MenuProps) {
  return <Mantine position="bottom-end" withinPortal portalProps={{ target: '#main' }} withInitialFocusPlaceholder={false} {...props} />;
}
Menu.Target = Mantine.Target;
Menu.Dropdown = Mantine.Dropdown;
Menu.Item = Mantine.Item;
Menu.Label = Mantine.Label;
Menu.Divider = Mantine.Divider;
