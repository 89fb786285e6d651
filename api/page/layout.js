// A graph of tasks in layers, and its critical path: pure functions, no elements.
// A node is {id, needs: [id], hours, open}.

// The chain of open tasks, in the order in which they are done, that takes the most hours.
export function criticalPath(nodes) {
  const open = new Map(nodes.filter((node) => node.open).map((node) => [node.id, node]));
  const longest = new Map();
  const entered = new Set();
  const measure = (node) => {
    if (!longest.has(node.id)) {
      entered.add(node.id);
      let best = null;
      for (const id of node.needs) {
        if (!open.has(id) || (entered.has(id) && !longest.has(id))) continue;
        const found = measure(open.get(id));
        if (!best || found.hours > best.hours) best = found;
      }
      best ??= { hours: 0, chain: [] };
      longest.set(node.id, { hours: best.hours + node.hours, chain: [...best.chain, node.id] });
    }
    return longest.get(node.id);
  };
  let best = null;
  for (const node of open.values()) {
    const found = measure(node);
    if (!best || found.hours > best.hours) best = found;
  }
  return best ?? { hours: 0, chain: [] };
}

// Layers of a graph: what a node needs is in layers before it. An edge over several layers gets a
// bend in each of them. Returns {layers: [[cell]], edges: [[cell, …]]}, a cell is {id} or {bend: true}.
export function layered(nodes) {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const depth = new Map();
  const entered = new Set();
  const kept = new Map();
  const place = (node) => {
    if (depth.has(node.id)) return depth.get(node.id);
    entered.add(node.id);
    const needs = [...new Set(node.needs)].filter((id) => known.has(id) && (depth.has(id) || !entered.has(id)));
    kept.set(node.id, needs);
    const at = Math.max(-1, ...needs.map((id) => place(known.get(id)))) + 1;
    depth.set(node.id, at);
    return at;
  };
  nodes.forEach(place);

  const layers = Array.from({ length: Math.max(0, ...[...depth.values()].map((at) => at + 1)) }, () => []);
  const cells = new Map();
  for (const node of nodes) {
    const cell = { id: node.id, layer: depth.get(node.id), before: [], after: [] };
    cells.set(node.id, cell);
    layers[cell.layer].push(cell);
  }
  const edges = [];
  for (const [id, needs] of kept) {
    for (const need of needs) {
      const edge = [cells.get(need)];
      for (let at = cells.get(need).layer + 1; at < cells.get(id).layer; at += 1) {
        const bend = { bend: true, layer: at, before: [], after: [] };
        layers[at].push(bend);
        edge.push(bend);
      }
      edge.push(cells.get(id));
      for (let at = 1; at < edge.length; at += 1) {
        edge[at - 1].after.push(edge[at]);
        edge[at].before.push(edge[at - 1]);
      }
      edges.push(edge);
    }
  }
  untangle(layers);
  return { layers, edges };
}

// Put each cell beside the middle of its neighbours, forth and back.
function untangle(layers) {
  const number = () => layers.forEach((layer) => layer.forEach((cell, at) => (cell.at = at - (layer.length - 1) / 2)));
  number();
  for (let round = 0; round < 6; round += 1) {
    const forth = round % 2 === 0;
    for (const layer of forth ? layers : [...layers].reverse()) {
      for (const cell of layer) {
        const beside = forth ? cell.before : cell.after;
        cell.wish = beside.length ? beside.reduce((sum, one) => sum + one.at, 0) / beside.length : cell.at;
      }
      layer.sort((one, other) => one.wish - other.wish);
      layer.forEach((cell, at) => (cell.at = at - (layer.length - 1) / 2));
    }
  }
}
