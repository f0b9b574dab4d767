// A file that the library never comes to an end with.
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
