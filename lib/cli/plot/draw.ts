import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Curve, Log } from './log.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Room beside the curves: axes, titles and what is between the panels. */
const ROOM = { width: 80, height: 70 };

type Panel = Extract<TopLevelSpec, { hconcat: unknown }>['hconcat'][number];

/** One for each log; the curves of a log alone have one each. */
const COLOURS = ['#4269d0', '#ff725c', '#3ca951', '#efb118', '#a463f2', '#6cc5b0', '#ff8ab7', '#9c6b4e'];

/** A point of a curve, as the drawing knows it. */
interface Point {
  readonly iteration: number;
  readonly value: number;
  readonly of: Curve['of'];
  readonly curve: string;
  readonly panel: string;
  readonly colour: string;
}

/** Curves as SVG: losses in one panel, all other metrics in another, the logs over each other. */
export async function drawCurves(logs: readonly Log[], size: Size): Promise<string> {
  const points = pointsOf(logs);
  const panels = ['loss', 'accuracy'].filter((panel) => points.some((point) => point.panel === panel));
  const width = Math.max(100, size.width / panels.length - ROOM.width);
  const height = Math.max(100, size.height - ROOM.height);
  const spec: TopLevelSpec = {
    data: { values: points },
    background: 'white',
    hconcat: panels.map((panel) => {
      const own = points.filter((point) => point.panel === panel);
      return panelOf(panel, new Map(own.map(({ curve, colour }) => [curve, colour])), { width, height });
    }),
    resolve: { scale: { color: 'independent' } },
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}

/** Curves of training are thin; those of tests thick, with a dot at each test. */
function panelOf(panel: string, colours: ReadonlyMap<string, string>, { width, height }: Size): Panel {
  // Losses fall and accuracies rise: these corners are free.
  const orient = panel === 'loss' ? 'top-right' : 'bottom-right';
  const encoding = {
    x: { field: 'iteration', type: 'quantitative' },
    y: { field: 'value', type: 'quantitative', title: panel, scale: { zero: false } },
    color: {
      field: 'curve',
      type: 'nominal',
      title: null,
      scale: { domain: [...colours.keys()], range: [...colours.values()] },
      legend: { orient, symbolType: 'stroke', labelLimit: 400 },
    },
  } as const;
  return {
    width,
    height,
    transform: [{ filter: `datum.panel === '${panel}'` }],
    encoding,
    layer: [
      { transform: [{ filter: `datum.of === 'training'` }], mark: { type: 'line', strokeWidth: 1 } },
      { transform: [{ filter: `datum.of === 'test'` }], mark: { type: 'line', strokeWidth: 2.5, point: { size: 20 } } },
    ],
  };
}

function pointsOf(logs: readonly Log[]): Point[] {
  return logs.flatMap(({ name, curves }, log) =>
    curves.flatMap(({ metric, of, points }, i) => {
      const curve = `${logs.length > 1 ? `${name}: ` : ''}${of} ${metric}`;
      const panel = /loss/i.test(metric) ? 'loss' : 'accuracy';
      const colour = COLOURS[(logs.length > 1 ? log : i) % COLOURS.length]!;
      return points.map((point) => ({ ...point, of, curve, panel, colour }));
    }),
  );
}
