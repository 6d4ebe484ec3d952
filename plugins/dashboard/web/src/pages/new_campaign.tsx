import { zodResolver } from '@hookform/resolvers/zod';
import { Button } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { FormProvider, useForm } from 'react-hook-form';
import { useNavigate, useSearchParams } from 'react-router-dom';
import { useMutation } from 'urql';
import { CreateCampaign } from '../api/documents';
import { empty, type Form, form, toInput } from '../logic/new_campaign';
import { useMay } from '../shell/who';
import { Card } from '../ui/card';
import { Confirm, type Question } from '../ui/dialog';
import { Page } from '../ui/page';
import { answered } from '../ui/toast';
import { PreviewCard } from '../ui/wizard/preview';
import { Review } from '../ui/wizard/review';
import { StepPhases } from '../ui/wizard/step_phases';
import { StepTargets } from '../ui/wizard/step_targets';
import { StepWhat } from '../ui/wizard/step_what';
import { Lost } from './lost';

const steps: { title: string; fields: (keyof Form)[]; body: () => React.ReactNode }[] = [
  { title: 'What to ship', fields: ['name', 'firmware_id'], body: () => <StepWhat /> },
  { title: 'To which devices', fields: ['fw_version', 'devices', 'tags', 'model'], body: () => <StepTargets /> },
  { title: 'How fast', fields: ['phases', 'max_in_flight', 'rate_per_min', 'start_at', 'expires_at'], body: () => <StepPhases /> },
  { title: 'Look once more', fields: [], body: () => <Review /> },
];

export default function NewCampaign() {
  const may = useMay('OPERATOR');
  const [params] = useSearchParams();
  const methods = useForm<Form>({ resolver: zodResolver(form) as never, defaultValues: { ...empty, firmware_id: params.get('firmware') ?? '' }, mode: 'onTouched' });
  const [step, setStep] = useState(0);
  const [question, setQuestion] = useState<Question | null>(null);
  const [, create] = useMutation(CreateCampaign);
  const go = useNavigate();
  const sheet = useRef<HTMLFormElement>(null);
  const shown = useRef(step);
  useEffect(() => {
    if (shown.current === step) return;
    shown.current = step;
    // A step is a page of its own to who hears or tabs through it: its title takes the focus.
    const title = sheet.current?.querySelector('h2');
    title?.setAttribute('tabindex', '-1');
    title?.focus();
  }, [step]);
  if (!may) return <Lost what="forbidden" />;
  const last = step === steps.length - 1;

  const on = async () => {
    if (await methods.trigger(steps[step]!.fields)) setStep(step + 1);
  };
  const make = (start: boolean) =>
    methods.handleSubmit(async (v) => {
      const done = await create({ input: toInput(v, start) });
      if (answered(done, start ? `${v.name} has started` : `${v.name} is kept as a draft`) && done.data) go(`/campaigns/${done.data.createCampaign.campaign_id}`);
    })();
  const start = () => {
    const v = methods.getValues();
    setQuestion({
      title: v.start_at ? 'Schedule this campaign?' : 'Start this campaign?',
      body: v.gated ? `The first phase (${v.phases[0]?.percent} %) is told to update ${v.start_at ? 'at the chosen time' : 'now'}. The next phase opens only when enough of it has succeeded.` : 'Without phases, every device is told at once. A bad image would reach them all.',
      yes: v.start_at ? 'Schedule it' : 'Start it',
      danger: !v.gated,
      act: () => make(true),
    });
  };
  return (
    <Page title="New campaign">
      <ol className="steps" aria-label="Steps">
        {steps.map((s, i) => (
          <li key={s.title} aria-current={i === step ? 'step' : undefined} data-done={i < step}>
            {s.title}
          </li>
        ))}
      </ol>
      <FormProvider {...methods}>
        <div className="columns wide-left">
          <form
            ref={sheet}
            onSubmit={(e) => {
              e.preventDefault();
              if (last) start();
              else void on();
            }}
            noValidate
          >
            <Card title={steps[step]!.title}>
              <div className="stack" key={step}>
                {steps[step]!.body()}
                <div className="line ends">
                  <Button variant="default" disabled={step === 0} onClick={() => setStep(step - 1)}>
                    Back
                  </Button>
                  <div className="line">
                    {last && (
                      <Button variant="default" onClick={() => void make(false)} loading={methods.formState.isSubmitting}>
                        Keep as draft
                      </Button>
                    )}
                    <Button type="submit">{last ? (methods.getValues('start_at') ? 'Schedule' : 'Start') : 'Next'}</Button>
                  </div>
                </div>
              </div>
            </Card>
          </form>
          <PreviewCard />
        </div>
      </FormProvider>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}
