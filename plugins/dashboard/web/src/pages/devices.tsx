import { Button, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { useQuery } from 'urql';
import { rest } from '../api/client';
import { MenusQuery } from '../api/documents';
import { forgetFilter, fromAddress, isRsql, loadFilters, saveFilter, withParam } from '../logic/device_filter';
import { useLogin, useMay } from '../shell/who';
import { AddDeviceDialog } from '../ui/add_device';
import { Dialog } from '../ui/dialog';
import { DeviceList } from '../ui/device_list';
import { Icon } from '../ui/icon';
import { Menu } from '../ui/menu';
import { Page } from '../ui/page';
import { say } from '../ui/toast';

export default function Devices() {
  const [params, setParams] = useSearchParams();
  const { text, filter } = fromAddress(params);
  const [typed, setTyped] = useState(text);
  const [adding, setAdding] = useState(false);
  const [{ data: menus }] = useQuery({ query: MenusQuery });
  const may = useMay('OPERATOR');
  const ask = useDebouncedCallback((q: string) => setParams((p) => withParam(p, 'q', q), { replace: true }), 150);
  const set = (key: string) => (value: string | null) => setParams((p) => withParam(p, key, value), { replace: true });
  const versions = [...new Set(menus?.fleet.versions.map((v) => v.version).filter(Boolean) ?? [])];

  return (
    <Page
      title="Devices"
      lead="Every device that has come, was added or was imported"
      aside={
        <>
          <Saved
            query={params.toString()}
            choose={(query) => {
              const next = new URLSearchParams(query);
              setTyped(next.get('q') ?? '');
              setParams(next);
            }}
          />
          <ExportMenu params={params} />
          {may && (
            <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setAdding(true)}>
              Add device
            </Button>
          )}
        </>
      }
    >
      <div className="card">
        <div className="filters" role="search">
          <TextInput
            className="wide"
            data-find
            label="Find"
            title="The beginning of a serial number, or an expression: model==TX-100;current_firmware=lt=v1.1.0"
            placeholder="Serial number, or an expression"
            leftSection={<Icon name="search" size={16} />}
            value={typed}
            onChange={(e) => {
              setTyped(e.currentTarget.value);
              ask(e.currentTarget.value);
            }}
          />
          <Select label="State" placeholder="Any" clearable data={[{ value: 'online', label: 'Online' }, { value: 'offline', label: 'Offline' }, { value: 'updating', label: 'Updating' }]} value={params.get('status')} onChange={set('status')} w={130} />
          <Select label="Model" placeholder="Any" clearable searchable data={menus?.models.filter(Boolean) ?? []} value={params.get('model')} onChange={set('model')} w={140} />
          <Select label="Version" placeholder="Any" clearable searchable data={versions} value={params.get('version')} onChange={set('version')} w={140} />
          <Select label="Tag" placeholder="Any" clearable searchable data={menus?.tags ?? []} value={params.get('tag')} onChange={set('tag')} w={130} />
          <Select
            label="Registration"
            placeholder="Any"
            clearable
            data={[{ value: 'accepted', label: 'Accepted' }, { value: 'quarantined', label: 'In quarantine' }, { value: 'blocked', label: 'Blocked' }, { value: 'imported', label: 'Imported' }]}
            value={params.get('registration')}
            onChange={set('registration')}
            w={150}
          />
        </div>
        <DeviceList filter={filter} />
      </div>
      <AddDeviceDialog opened={adding} close={() => setAdding(false)} />
    </Page>
  );
}

function Saved({ query, choose }: { query: string; choose: (query: string) => void }) {
  const user = useLogin()?.user ?? '';
  const [filters, setFilters] = useState(() => loadFilters(localStorage, user));
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState('');
  return (
    <>
      <Menu>
        <Menu.Target>
          <Button variant="default" leftSection={<Icon name="star" size={16} />}>
            Saved filters
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {filters.length === 0 && <Menu.Label>None in this browser yet</Menu.Label>}
          {filters.map((f) => (
            <Menu.Item key={f.name} onClick={() => choose(f.query)}>
              {f.name}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item disabled={!query} onClick={() => setNaming(true)} leftSection={<Icon name="plus" size={14} />}>
            Save this filter
          </Menu.Item>
          {filters.map((f) => (
            <Menu.Item key={`forget ${f.name}`} leftSection={<Icon name="bin" size={14} />} onClick={() => setFilters(forgetFilter(localStorage, user, f.name))}>
              Forget {f.name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Dialog opened={naming} close={() => setNaming(false)} title="Save this filter">
        <form
          className="stack"
          onSubmit={(e) => {
            e.preventDefault();
            if (!name.trim()) return;
            setFilters(saveFilter(localStorage, user, { name: name.trim(), query }));
            setNaming(false);
            say(`Saved as ${name.trim()}, in this browser`);
            setName('');
          }}
        >
          <TextInput data-autofocus label="Name" value={name} maxLength={40} onChange={(e) => setName(e.currentTarget.value)} description="Kept in this browser. The address of the page is the filter too: send it to a colleague." />
          <Button type="submit">Save</Button>
        </form>
      </Dialog>
    </>
  );
}

/** Every device that matches, as a file. */
function ExportMenu({ params }: { params: URLSearchParams }) {
  const { text } = fromAddress(params);
  const take = async (format: 'csv' | 'json') => {
    const ask = new URLSearchParams({ format });
    const parts = [
      isRsql(text) ? `(${text})` : text && `serial_no==${text}*`,
      ...['model', 'status', 'registration', 'tag'].map((k) => params.get(k) && `${k === 'tag' ? 'tags' : k}==${params.get(k)}`),
      params.get('version') && `current_firmware==${params.get('version')}`,
    ].filter(Boolean);
    if (parts.length) ask.set('filter', parts.join(';'));
    const answer = await rest(`/api/v1/devices/export?${ask}`);
    if (!answer.ok) return say('The export was refused.', 'bad');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await answer.blob());
    link.download = `devices.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default" leftSection={<Icon name="download" size={16} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void take('csv')}>As CSV</Menu.Item>
        <Menu.Item onClick={() => void take('json')}>As JSON</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
