import { Select, Slider, useComputedColorScheme } from '@mantine/core';
import type { Attribution, Sample } from '../../api/schema';
import { ordinal, percent } from '../../base/format';
import { GRAINS } from '../../render/cells';
import { COLOR_MAP_NAMES, COLOR_MAPS, type ColorMap, colorAt, css } from '../../render/colors';
import { useDisplay } from '../../state/display';
import type { View } from '../../state/location';
import { useWorkspace } from '../../state/workspace';
import { Choice } from '../common/Choice';
import styles from './Understand.module.css';

interface ControlsProps {
  sample: Sample;
  attribution: Attribution | undefined;
  view: View;
}

/** How attributions are drawn, here and on the cards; applied at once in the browser. */
export function Controls({ sample, attribution, view }: ControlsProps) {
  const hasImage = sample.inputs.some((input) => input.kind === 'image');
  const hasAny = hasImage || sample.inputs.some((input) => input.kind !== 'empty');
  const nothingDrawn = view === 'original' && onlyImages(sample);
  if (!hasAny || nothingDrawn) return null;
  return (
    <div className={styles.controls} role="group" aria-label="Display">
      <SignChoice attribution={attribution} />
      {hasImage && <ImageControls attribution={attribution} view={view} />}
      {!hasImage && (
        <div className={styles.halves}>
          <Colors />
          <Scale />
        </div>
      )}
    </div>
  );
}

function onlyImages({ inputs }: Sample): boolean {
  return inputs.every((input) => input.kind === 'image' || input.kind === 'empty');
}

/** Which sign to draw, where there is one. */
function SignChoice({ attribution }: { attribution: Attribution | undefined }) {
  const { display, change } = useDisplay();
  const { methods } = useWorkspace();
  const inputs = attribution?.inputs.filter((input) => input.kind !== 'empty') ?? [];
  const onlySizes =
    inputs.length > 0 && inputs.every((input) => input.kind === 'image' && display.channels === 'magnitude');
  if (attribution?.signed === false || onlySizes) {
    const method = methods.find(({ name }) => name === attribution?.method)?.title;
    return (
      <p className={styles.hint}>
        {onlySizes ? 'The magnitude over channels' : method} says how much each part matters, not whether it
        speaks for or against: there is no sign to choose.
      </p>
    );
  }
  return (
    <Choice
      label="Sign"
      value={display.sign}
      options={{ both: '+ and −', positive: 'Positive', negative: 'Negative', absolute: 'Absolute' }}
      onChange={(sign) => change({ sign })}
    />
  );
}

function ImageControls({ attribution, view }: Omit<ControlsProps, 'sample'>) {
  const { display, change } = useDisplay();
  return (
    <>
      <Row label={`Clip at ${display.clip === 100 ? 'the largest' : `${ordinal(display.clip)} percentile`}`}>
        <Slider
          size="sm"
          thumbLabel="Clip percentile"
          label={null}
          min={80}
          max={100}
          step={0.5}
          value={display.clip}
          onChange={(clip) => change({ clip })}
        />
      </Row>
      {view === 'overlay' && (
        <Row label={`Opacity ${percent(display.opacity, 0)}`}>
          <Slider
            size="sm"
            thumbLabel="Overlay opacity"
            label={null}
            min={0}
            max={1}
            step={0.05}
            value={display.opacity}
            onChange={(opacity) => change({ opacity })}
          />
        </Row>
      )}
      <Grain attribution={attribution} />
      <div className={styles.thirds}>
        <Channels attribution={attribution} />
        <Colors />
        <Scale />
      </div>
    </>
  );
}

/** Into how large patches a map's pixels are summed, where the method gives each pixel a value of its own. */
function Grain({ attribution }: { attribution: Attribution | undefined }) {
  const { display, change } = useDisplay();
  const maps = attribution?.inputs.flatMap((input) => (input.kind === 'image' ? input.maps : [])) ?? [];
  if (maps.length > 0 && maps.every(({ unit }) => unit !== 'pixel')) return null;
  const inWords = (side: number) => (side === 1 ? 'single pixels' : `${side} × ${side} px`);
  return (
    <Row label={`Grain: ${inWords(display.grain)}`}>
      <Slider
        size="sm"
        thumbLabel="Grain"
        thumbValueText={inWords(display.grain)}
        label={null}
        min={0}
        max={GRAINS.length - 1}
        marks={GRAINS.map((_, value) => ({ value }))}
        value={GRAINS.indexOf(display.grain)}
        onChange={(place) => change({ grain: GRAINS[place] ?? 1 })}
      />
    </Row>
  );
}

function Scale() {
  const { display, change } = useDisplay();
  return (
    <Select
      aria-label="Scale"
      allowDeselect={false}
      comboboxProps={{ width: 'max-content', position: 'bottom-end' }}
      data={[
        { value: 'image', label: 'Own scale' },
        { value: 'shared', label: 'Shared scale' },
      ]}
      renderOption={({ option }) => SCALE_TITLES[option.value as keyof typeof SCALE_TITLES]}
      value={display.scale}
      onChange={(scale) => change({ scale: scale as keyof typeof SCALE_TITLES })}
    />
  );
}

const SCALE_TITLES = {
  image: 'Own scale: each reaches full colour',
  shared: 'Shared scale: the same for all on screen',
};

function Channels({ attribution }: { attribution: Attribution | undefined }) {
  const { display, change } = useDisplay();
  const maps = attribution?.inputs.flatMap((input) => (input.kind === 'image' ? input.maps : [])) ?? [];
  const reductions = [...new Set(['sum', ...maps.map((map) => map.reduction)])];
  return (
    <Select
      aria-label="Channels"
      allowDeselect={false}
      disabled={reductions.length < 2}
      data={reductions.map((reduction) => ({ value: reduction, label: channelTitle(reduction) }))}
      value={reductions.includes(display.channels) ? display.channels : 'sum'}
      onChange={(channels) => channels && change({ channels })}
    />
  );
}

function channelTitle(reduction: string): string {
  if (reduction === 'sum') return 'Channel sum';
  if (reduction === 'magnitude') return 'Magnitude';
  return `Channel ${reduction}`;
}

function Colors() {
  const { display, change } = useDisplay();
  return (
    <Select
      aria-label="Colours"
      allowDeselect={false}
      comboboxProps={{ width: 'max-content' }}
      data={COLOR_MAP_NAMES.map((name) => ({ value: name, label: COLOR_MAPS[name].title }))}
      value={display.colors}
      onChange={(colors) => change({ colors: colors as ColorMap })}
      leftSection={<Swatch colors={display.colors} />}
      renderOption={({ option }) => (
        <span className={styles.option}>
          <Swatch colors={option.value as ColorMap} />
          {option.label}
        </span>
      )}
    />
  );
}

function Swatch({ colors }: { colors: ColorMap }) {
  const scheme = useComputedColorScheme('light');
  const parts = [-0.8, -0.4, 0, 0.4, 0.8].map((t) => css(colorAt(colors, t, scheme)));
  return (
    <i className={styles.swatch} style={{ background: `linear-gradient(90deg, ${parts.join(', ')})` }} />
  );
}

function Row({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className={styles.row}>
      <span className={styles.rowLabel}>{label}</span>
      {children}
    </div>
  );
}
