import './styles/index.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { z } from 'zod';
import { App } from './app';

const theme = createTheme({ cursorType: 'pointer', respectReducedMotion: true, defaultRadius: 8 });

// Checks are interpreted: compiling them would need eval, which the server's policy forbids.
z.config({ jitless: true });

// Variables and classes that Mantine would inject as style elements are in styles/tokens.css: the server's policy forbids them.
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <App />
    </MantineProvider>
  </StrictMode>,
);
