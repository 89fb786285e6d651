// Runs first in each context: takes the built-in functions it needs before the program can change
// them, and answers in ASCII. It never learns what is expected.
(() => {
  'use strict';
  const { stringify } = JSON;
  const { ownKeys, apply, getPrototypeOf, defineProperty } = Reflect;
  const { isArray } = Array;
  const text = String;
  const call = (f, self, ...rest) => apply(f, self, rest);
  const charCodeAt = text.prototype.charCodeAt;
  const slice = text.prototype.slice;
  const toString16 = Number.prototype.toString;
  const getOwn = Object.getOwnPropertyDescriptor;
  const tagOf = Object.prototype.toString;
  const mapForEach = Map.prototype.forEach;
  const setForEach = Set.prototype.forEach;
  const getTime = Date.prototype.getTime;
  const bigText = BigInt.prototype.toString;
  const then = Promise.prototype.then;
  const is = Object.is;
  const isView = ArrayBuffer.isView;
  const MAX_NODES = 20000, MAX_DEPTH = 40, MAX_TEXT = 100000, MAX_SHOWN = 400;
  let left = 0;

  const ascii = (json) => {
    let out = '';
    for (let i = 0; i < json.length; i += 1) {
      const code = call(charCodeAt, json, i);
      out += code < 127 ? json[i] : '\\u' + call(slice, '0000' + call(toString16, code, 16), -4);
    }
    return out;
  };
  const nameOf = (value) => {
    try {
      const { constructor } = getPrototypeOf(value) || {};
      return typeof constructor === 'function' ? text(constructor.name) : 'Object';
    } catch { return 'Object'; }
  };
  const list = (tag, value, depth, each) => {
    const items = [];
    let whole = true;
    each((item) => {
      if (left <= 0) whole = false;
      else items[items.length] = item();
      return whole;
    });
    return [tag, nameOf(value), items, whole];
  };
  const write = (value, depth) => {
    left -= 1;
    switch (typeof value) {
      case 'undefined': return ['undefined'];
      case 'boolean': return ['boolean', value];
      case 'number': return ['number', is(value, -0) ? '-0' : text(value)];
      case 'bigint': return ['bigint', call(bigText, value, 10)];
      case 'string':
        return value.length > MAX_TEXT
          ? ['thing', 'String', call(slice, value, 0, MAX_SHOWN)] : ['string', value];
      case 'symbol': return ['thing', 'Symbol', text(value)];
      case 'function': return ['thing', 'Function', text(value.name)];
      default: return value === null ? ['null'] : writeObject(value, depth);
    }
  };
  const writeObject = (value, depth) => {
    if (depth > MAX_DEPTH) return ['thing', nameOf(value), '...'];
    const tag = call(tagOf, value);
    if (isArray(value) || (isView(value) && tag !== '[object DataView]')) {
      return list('array', value, depth, (add) => {
        for (let i = 0; i < value.length; i += 1) if (!add(() => write(value[i], depth + 1))) break;
      });
    }
    try {
      if (tag === '[object Map]') {
        return list('map', value, depth, (add) => call(mapForEach, value,
          (item, key) => add(() => [write(key, depth + 1), write(item, depth + 1)])));
      }
      if (tag === '[object Set]') {
        return list('set', value, depth, (add) => call(setForEach, value,
          (item) => add(() => write(item, depth + 1))));
      }
      if (tag === '[object Date]') return ['date', text(call(getTime, value))];
    } catch { /* it only calls itself so */ }
    if (tag === '[object RegExp]') return ['thing', 'RegExp', text(value)];
    if (tag === '[object Error]') return ['thing', nameOf(value), text(value.message)];
    if (tag === '[object Number]' || tag === '[object String]' || tag === '[object Boolean]') {
      return ['thing', nameOf(value), text(value)];
    }
    if (typeof value.next === 'function' && typeof value[Symbol.iterator] === 'function') {
      return list('stream', value, depth, (add) => {
        for (let step = value.next(); !step.done; step = value.next()) {
          const item = step.value;
          if (!add(() => write(item, depth + 1))) break;
        }
      });
    }
    return list('record', value, depth, (add) => {
      for (const key of ownKeys(value)) {
        const own = typeof key === 'string' && getOwn(value, key);
        if (own && own.enumerable && !add(() => [key, write(value[key], depth + 1)])) break;
      }
    });
  };
  const describe = (error) => {
    const names = [];
    let message = '';
    try {
      if (typeof error === 'object' && error !== null) {
        message = text(error.message);
        const named = getOwn(error, 'name');
        if (named && typeof named.value === 'string') names[0] = named.value;
        for (let at = getPrototypeOf(error); at && names.length < 9; at = getPrototypeOf(at)) {
          const own = getOwn(at, 'constructor');
          if (own && typeof own.value === 'function') names[names.length] = text(own.value.name);
        }
        if (typeof error.name === 'string') names[names.length] = error.name;
      } else message = text(error);
    } catch { /* it cannot be described */ }
    return ['raised', names.length ? names : [typeof error], call(slice, message, 0, MAX_SHOWN)];
  };
  const value = (it, truth) => {
    left = MAX_NODES;
    const written = write(it, 0);
    return truth ? ['value', written, !!it] : ['value', written];
  };
  const answer = (make) => {
    try { return ascii(stringify(make())); } catch (error) {
      try { return ascii(stringify(describe(error))); } catch { return '["unreadable"]'; }
    }
  };
  const ask = (make, truth) => {
    let it;
    try { it = make(); } catch (error) { return answer(() => describe(error)); }
    if (it instanceof Promise) {
      return call(then, it, (found) => answer(() => value(found, truth)),
        (error) => answer(() => describe(error)));
    }
    return answer(() => value(it, truth));
  };
  const borrow = (name) => {
    const exported = globalThis.module && globalThis.module.exports;
    const ours = exported && (exported[name] || (exported.default && exported.default[name]));
    const only = typeof exported === 'function' ? exported : exported && exported.default;
    if (ours !== undefined || only !== undefined) {
      globalThis[name] = ours !== undefined ? ours : only;
    }
  };
  defineProperty(globalThis, 'HARNESS', { value: { ask, borrow, answer, describe } });
  // Compiled memory is not in the heap that is limited.
  delete globalThis.WebAssembly;
  const module = { exports: {} };
  const require = (name) => { throw new Error('the sandbox has no modules: ' + text(name)); };
  globalThis.module = module;
  globalThis.exports = module.exports;
  globalThis.require = require;
})();
