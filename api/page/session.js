// Who is signed in: in memory, and for this tab's life in sessionStorage.

const KEY = "goals.token";
let token = read(sessionStorage, KEY);

function read(storage, key) {
  try {
    return storage.getItem(key);
  } catch {
    return null; // storage is switched off: the memory is enough
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    /* the same */
  }
}

export const session = {
  get token() {
    return token;
  },
  set token(value) {
    token = value;
    write(sessionStorage, KEY, value);
  },
  user: null,
};

// What this browser prefers, without an account: `theme` and `language`.
export const preferred = {
  get: (name) => read(localStorage, `goals.${name}`),
  set: (name, value) => write(localStorage, `goals.${name}`, value),
};
