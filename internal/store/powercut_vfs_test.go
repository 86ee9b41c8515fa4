//go:build linux

package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A cutVFS stands between SQLite and its ordinary file layer for Unix, as SQLite's
// default VFS (sqlite.org/vfs.html, "VFS shims"). Every call goes through to the
// file layer; those that change a file or make changes last are told to a disk.
// Reading, locking and the -shm file, which is made anew after a crash, are left
// alone.
//
// Directories are synced inside xSync and xDelete, where no VFS method shows it;
// the file layer's own table of system calls has "openDirectory" for that
// (xSetSystemCall), which it calls for nothing else.
type cutVFS struct {
	disk    *disk
	base    uintptr // the ordinary file layer
	under   *sqlite3.Tsqlite3_vfs
	open    map[uintptr]*openFile // by sqlite3_file
	methods map[uintptr]uintptr   // of ours over those of the file layer
	hooks   []any                 // functions that only SQLite refers to

	openDirectory   func(tls *libc.TLS, path, fd uintptr) int32
	directoryOpened bool
}

// openFile is a file that SQLite has open.
type openFile struct {
	file  *diskFile
	under *sqlite3.Tsqlite3_io_methods
}

// insertCutVFS makes SQLite use the disk for every database that this process
// opens from now on.
func insertCutVFS(d *disk) (*cutVFS, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	v := &cutVFS{
		disk: d, base: sqlite3.Xsqlite3_vfs_find(tls, 0),
		open: make(map[uintptr]*openFile), methods: make(map[uintptr]uintptr),
	}
	if v.base == 0 {
		return nil, errors.New("SQLite has no VFS")
	}
	v.under = inC[sqlite3.Tsqlite3_vfs](v.base)
	name, nameErr := libc.CString("postroom-power-cut")
	call, callErr := libc.CString("openDirectory")
	if err := errors.Join(nameErr, callErr); err != nil {
		return nil, err
	}
	address, over := copyInC(tls, v.under)
	over.FpNext = 0
	over.FzName = name
	over.FxOpen = hook(v, v.xOpen)
	over.FxDelete = hook(v, v.xDelete)

	get := cFunction[func(tls *libc.TLS, vfs, name uintptr) uintptr](v.under.FxGetSystemCall)
	set := cFunction[func(tls *libc.TLS, vfs, name, function uintptr) int32](v.under.FxSetSystemCall)
	v.openDirectory = cFunction[func(tls *libc.TLS, path, fd uintptr) int32](get(tls, v.base, call))
	if rc := set(tls, v.base, call, hook(v, v.xOpenDirectory)); rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("xSetSystemCall: %d", rc)
	}
	if rc := sqlite3.Xsqlite3_vfs_register(tls, address, 1); rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("sqlite3_vfs_register: %d", rc)
	}
	return v, nil
}

// hook is a Go function as SQLite calls it. In SQLite as translated to Go a C
// function pointer is the address of a Go function value (go.dev/s/go11func);
// v keeps it.
func hook[F any](v *cutVFS, f F) uintptr {
	v.hooks = append(v.hooks, f)
	return *(*uintptr)(unsafe.Pointer(&f))
}

// cFunction is a C function pointer as Go calls it.
func cFunction[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&pointer)) }

// inC is what stands at an address outside Go's memory.
func inC[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// copyInC copies something to where SQLite may have it; it stays until the process ends.
func copyInC[T any](tls *libc.TLS, from *T) (address uintptr, to *T) {
	address = libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(*from)))
	to = inC[T](address)
	*to = *from
	return address, to
}

func (v *cutVFS) xOpen(tls *libc.TLS, _, path, file uintptr, flags int32, outFlags uintptr) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	kind := anyFile
	switch {
	case flags&sqlite3.SQLITE_OPEN_MAIN_DB != 0:
		kind = databaseFile
	case flags&sqlite3.SQLITE_OPEN_MAIN_JOURNAL != 0:
		kind = journalFile
	case flags&sqlite3.SQLITE_OPEN_WAL != 0:
		kind = walFile
	}
	at, created := "", false
	if kind != anyFile {
		at = libc.GoString(path)
		_, err := os.Lstat(at)
		created = os.IsNotExist(err)
	}
	open := cFunction[func(tls *libc.TLS, vfs, path, file uintptr, flags int32, outFlags uintptr) int32](v.under.FxOpen)
	rc := open(tls, v.base, path, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || kind == anyFile { // others are temporary
		return rc
	}
	f, err := v.disk.open(at, kind, created)
	v.must(err)
	methods := &inC[sqlite3.Tsqlite3_file](file).FpMethods
	v.open[file] = &openFile{f, inC[sqlite3.Tsqlite3_io_methods](*methods)}
	*methods = v.methodsOver(tls, *methods)
	return rc
}

// methodsOver returns a table of methods with those replaced that change a file.
func (v *cutVFS) methodsOver(tls *libc.TLS, under uintptr) uintptr {
	address, ok := v.methods[under]
	if !ok {
		var m *sqlite3.Tsqlite3_io_methods
		address, m = copyInC(tls, inC[sqlite3.Tsqlite3_io_methods](under))
		m.FxClose = hook(v, v.xClose)
		m.FxWrite = hook(v, v.xWrite)
		m.FxTruncate = hook(v, v.xTruncate)
		m.FxSync = hook(v, v.xSync)
		v.methods[under] = address
	}
	return address
}

func (v *cutVFS) xClose(tls *libc.TLS, file uintptr) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	o := v.open[file]
	delete(v.open, file)
	return cFunction[func(*libc.TLS, uintptr) int32](o.under.FxClose)(tls, file)
}

func (v *cutVFS) xWrite(tls *libc.TLS, file, data uintptr, size int32, offset int64) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	o := v.open[file]
	rc := cFunction[func(tls *libc.TLS, file, data uintptr, size int32, offset int64) int32](o.under.FxWrite)(tls, file, data, size, offset)
	if rc == sqlite3.SQLITE_OK {
		v.must(v.disk.change(o.file, fileChange{offset, bytes.Clone(unsafe.Slice(inC[byte](data), size))}))
	}
	return rc
}

func (v *cutVFS) xTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	o := v.open[file]
	rc := cFunction[func(*libc.TLS, uintptr, int64) int32](o.under.FxTruncate)(tls, file, size)
	if rc == sqlite3.SQLITE_OK {
		v.must(v.disk.change(o.file, fileChange{at: size}))
	}
	return rc
}

// xSync may also be where the power fails: before the disk has done anything.
func (v *cutVFS) xSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	o := v.open[file]
	v.must(v.disk.call(o.file.kind))
	v.directoryOpened = false
	rc := cFunction[func(*libc.TLS, uintptr, int32) int32](o.under.FxSync)(tls, file, flags)
	if rc == sqlite3.SQLITE_OK {
		v.disk.sync(o.file)
		v.namesSynced()
	}
	return rc
}

func (v *cutVFS) xDelete(tls *libc.TLS, _, path uintptr, syncDirectory int32) int32 {
	v.disk.mu.Lock()
	defer v.disk.mu.Unlock()
	v.directoryOpened = false
	remove := cFunction[func(tls *libc.TLS, vfs, path uintptr, syncDirectory int32) int32](v.under.FxDelete)
	rc := remove(tls, v.base, path, syncDirectory)
	if rc == sqlite3.SQLITE_OK {
		v.must(v.disk.remove(libc.GoString(path)))
		v.namesSynced()
	}
	return rc
}

func (v *cutVFS) xOpenDirectory(tls *libc.TLS, path, fd uintptr) int32 {
	rc := v.openDirectory(tls, path, fd)
	v.directoryOpened = rc == sqlite3.SQLITE_OK
	return rc
}

func (v *cutVFS) namesSynced() {
	if v.directoryOpened {
		v.disk.syncNames()
	}
}

// must ends the process when the power cut itself goes wrong.
func (v *cutVFS) must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "power cut:", err)
		os.Exit(2)
	}
}
