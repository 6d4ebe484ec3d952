import './styles/index.css';
import { Checkbox, createTheme, defaultVariantColorsResolver, MantineProvider, Radio, type VariantColorsResolver } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app';

// What stands on the accent has the accent's own contrast colour: the accent of the dark scheme is light.
const variantColorResolver: VariantColorsResolver = (input) => {
  const colors = defaultVariantColorsResolver(input);
  return input.variant === 'filled' ? { ...colors, color: 'var(--on-accent)' } : colors;
};

const theme = createTheme({
  cursorType: 'pointer',
  respectReducedMotion: true,
  defaultRadius: 8,
  variantColorResolver,
  components: { Checkbox: Checkbox.extend({ defaultProps: { iconColor: 'var(--on-accent)' } }), Radio: Radio.extend({ defaultProps: { iconColor: 'var(--on-accent)' } }) },
});

// Variables and classes that Mantine would inject as style elements are in styles/tokens.css: the server's policy forbids them.
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <App />
    </MantineProvider>
  </StrictMode>,
);
