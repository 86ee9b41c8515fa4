package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/postroom/postroom"
)

const (
	chunkBytes  = 64 << 10 // of raw bytes in one chunk, before compression
	aheadBytes  = 1 << 20  // a larger message writes its chunks ahead of commit 1
	aheadChunks = aheadBytes / chunkBytes
	// chunksPerRaw is how many chunk ids belong to one raw: raw_chunk.id is
	// raw * chunksPerRaw + n, so that the chunks of a raw lie side by side. It
	// limits a message to 64 GB.
	chunksPerRaw = 1 << 20
)

// ErrTooBig says that a message is larger than the limit given to ReadRaw.
var ErrTooBig = errors.New("the message is larger than the limit")

// A Raw is the exact bytes of one message, on their way into the database.
type Raw struct {
	SHA256    [32]byte
	SizeBytes int64

	chunks  [][]byte       // compressed; those not written ahead
	written int            // chunks written ahead
	packed  int64          // compressed bytes of all chunks
	id      postroom.RawID // of the row that the chunks written ahead belong to; 0: none
}

// ReadRaw reads one message to its end. Up to 1 MB it is kept in memory,
// compressed; beyond that chunks go to the database in small commits, under a
// raw that nothing refers to yet and that is swept when commit 1 never comes.
// head, if not nil, is called once with the beginning of the message, at most
// 64 KB, which it must not keep. Over limitBytes the answer is ErrTooBig.
func (db *DB) ReadRaw(ctx context.Context, r io.Reader, limitBytes int64, head func([]byte)) (*Raw, error) {
	raw := &Raw{}
	sum := sha256.New()
	if err := db.readChunks(ctx, raw, sum, r, limitBytes, head); err != nil {
		if raw.id != 0 {
			err = errors.Join(err, db.dropAhead(context.WithoutCancel(ctx), raw.id))
		}
		return nil, err
	}
	sum.Sum(raw.SHA256[:0])
	db.step("message read")
	return raw, nil
}

func (db *DB) readChunks(ctx context.Context, raw *Raw, sum hash.Hash, r io.Reader, limitBytes int64, head func([]byte)) error {
	pooled := db.buffers.Get().(*[]byte)
	defer db.buffers.Put(pooled)
	buf := *pooled
	for {
		n, err := fill(r, buf)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if head != nil {
			head(buf[:n])
			head = nil
		}
		if n > 0 {
			sum.Write(buf[:n])
			raw.SizeBytes += int64(n)
			if raw.SizeBytes > limitBytes {
				return ErrTooBig
			}
			packed := db.codec.pack(buf[:n])
			raw.packed += int64(len(packed))
			raw.chunks = append(raw.chunks, packed)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if len(raw.chunks) >= aheadChunks {
			if err := db.writeAhead(ctx, raw); err != nil {
				return err
			}
		}
	}
}

// fill reads until buf is full. Unlike io.ReadFull it never mistakes a reader
// that was cut for one that has ended: only io.EOF is the end.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = r.Read(buf[n:])
		n += more
	}
	return n, err
}

const insertRaw = `
	insert into raw (sha256, size_bytes, chunks, packed, created_at) values ($1, $2, $3, $4, db_now()) returning id`

const insertChunk = `insert into raw_chunk (id, body) values ($1, $2)`

func (t *tx) insertChunks(id postroom.RawID, from int, chunks [][]byte) error {
	for i, c := range chunks {
		if err := t.exec(insertChunk, int64(id)*chunksPerRaw+int64(from+i), c); err != nil {
			return err
		}
	}
	return nil
}

// writeAhead commits the chunks that are in memory.
func (db *DB) writeAhead(ctx context.Context, raw *Raw) error {
	var id postroom.RawID
	err := db.commit(ctx, func(t *tx) error {
		id = raw.id
		if id == 0 {
			if err := t.row(insertRaw, nil, 0, 0, 0).Scan(&id); err != nil {
				return err
			}
		} else if n, err := t.changed(`update raw set created_at = db_now() where id = $1`, id); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("raw %s, begun before, is here no more", id))
		}
		return t.insertChunks(id, raw.written, raw.chunks)
	})
	if err != nil {
		return fmt.Errorf("write ahead: %w", err)
	}
	raw.id = id
	raw.written += len(raw.chunks)
	raw.chunks = raw.chunks[:0]
	db.step("written ahead")
	return nil
}

// DropRaw lets go of bytes that nobody wants after all.
func (db *DB) DropRaw(ctx context.Context, raw *Raw) error {
	if raw.id == 0 {
		return nil
	}
	return db.dropAhead(ctx, raw.id)
}

func (db *DB) dropAhead(ctx context.Context, id postroom.RawID) error {
	return db.commit(ctx, func(t *tx) error { return t.dropRaw(id) })
}

// dropAhead removes what was written ahead of raw.
func (t *tx) dropAhead(raw *Raw) error {
	if raw.id == 0 {
		return nil
	}
	return t.dropRaw(raw.id)
}

func (t *tx) dropRaw(id postroom.RawID) error {
	if err := t.exec(`delete from raw_chunk where id between $1 and $2`, firstChunk(id), lastChunk(id)); err != nil {
		return err
	}
	return t.exec(`delete from raw where id = $1`, id)
}

func firstChunk(id postroom.RawID) int64 { return int64(id) * chunksPerRaw }
func lastChunk(id postroom.RawID) int64  { return int64(id)*chunksPerRaw + chunksPerRaw - 1 }

const rawBySum = `select id, erased_at is not null, expired_at is not null, damaged from raw where sha256 = $1 /*pg for share */`

// A knownRaw is what is here of bytes that come once more; id 0: they were never here.
type knownRaw struct {
	id                       postroom.RawID
	erased, expired, damaged bool
}

// knownRaw finds bytes by their fingerprint, and locks them against being let go.
func (t *tx) knownRaw(raw *Raw) (k knownRaw, err error) {
	err = t.row(rawBySum, raw.SHA256[:]).Scan(&k.id, &k.erased, &k.expired, &k.damaged)
	if noRows(err) {
		return knownRaw{}, nil
	}
	return k, err
}

// isLetGo says whether bytes stay away, although they come once more: what was
// erased, or was kept for long enough, does not come back with a copy.
func (k knownRaw) isLetGo(first earlierArrival) bool {
	return k.erased && first.state == postroom.ArrivalDeleted || k.expired && first.hasLetGo
}

// keepRaw makes sure that the bytes are in the database and returns their id. The
// same bytes are kept once.
func (t *tx) keepRaw(raw *Raw, k knownRaw) (postroom.RawID, error) {
	switch {
	case k.id == 0:
		return t.newRaw(raw)
	case !k.erased && !k.expired && !k.damaged:
		return k.id, t.dropAhead(raw)
	}
	if err := t.emptyRaw(k.id); err != nil {
		return 0, err
	}
	if raw.id != 0 { // move the chunks written ahead under the old fingerprint
		if err := t.exec(`update raw_chunk set id = id - $1 + $2 where id between $3 and $4`,
			firstChunk(raw.id), firstChunk(k.id), firstChunk(raw.id), lastChunk(raw.id)); err != nil {
			return 0, err
		}
		if err := t.exec(`delete from raw where id = $1`, raw.id); err != nil {
			return 0, err
		}
	}
	if err := t.insertChunks(k.id, raw.written, raw.chunks); err != nil {
		return 0, err
	}
	return k.id, t.exec(`update raw set erased_at = null, expired_at = null, chunks = $2, packed = $3 where id = $1`,
		k.id, raw.written+len(raw.chunks), raw.packed)
}

// emptyRaw removes bytes and leaves their fingerprint. That there are none is said
// first: bytes that go without that are missed (the triggers on raw_chunk).
func (t *tx) emptyRaw(id postroom.RawID) error {
	if err := t.exec(`update raw set chunks = 0, packed = 0, damaged = false where id = $1`, id); err != nil {
		return err
	}
	return t.exec(`delete from raw_chunk where id between $1 and $2`, firstChunk(id), lastChunk(id))
}

func (t *tx) newRaw(raw *Raw) (id postroom.RawID, err error) {
	chunks := raw.written + len(raw.chunks)
	if id = raw.id; id == 0 {
		if err := t.row(insertRaw, raw.SHA256[:], raw.SizeBytes, chunks, raw.packed).Scan(&id); err != nil {
			return 0, err
		}
		return id, t.insertChunks(id, 0, raw.chunks)
	}
	if err := t.insertChunks(id, raw.written, raw.chunks); err != nil {
		return 0, err
	}
	n, err := t.changed(`update raw set sha256 = $2, size_bytes = $3, chunks = $4, packed = $5 where id = $1`,
		id, raw.SHA256[:], raw.SizeBytes, chunks, raw.packed)
	if err == nil && n == 0 {
		err = fmt.Errorf("what was written ahead as raw %s has been swept", id)
	}
	return id, err
}

const sweepRaws = `select id from raw where sha256 is null and created_at < db_now() - $1 limit 100`

// SweepOrphans removes chunks that were written ahead for a commit that never
// came, an hour after the last of them at the earliest.
func (db *DB) SweepOrphans(ctx context.Context) (swept int, err error) {
	const hour = 3600 * 1e6
	err = db.commit(ctx, func(t *tx) error {
		rows, err := t.rows(sweepRaws, int64(hour))
		if err != nil {
			return err
		}
		ids, err := scanIDs[postroom.RawID](rows)
		if err != nil {
			return err
		}
		swept = len(ids)
		for _, id := range ids {
			if err := t.dropRaw(id); err != nil {
				return err
			}
		}
		return nil
	})
	return swept, err
}

func scanIDs[ID ~int64](rows *sql.Rows) (ids []ID, err error) {
	defer rows.Close()
	for rows.Next() {
		var id ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

const rawFacts = `select size_bytes, chunks, coalesce(erased_at, 0), coalesce(expired_at, 0), expired_days from raw where id = $1`

const chunkByID = `select body from raw_chunk where id = $1`

// openRaw streams the bytes of a raw; it holds one chunk at a time. A chunk that
// is not there, or that cannot be unpacked, ends the stream with an error.
func (db *DB) openRaw(ctx context.Context, id postroom.RawID) (body io.ReadCloser, sizeBytes int64, err error) {
	r := &rawReader{ctx: ctx, db: db, id: id}
	var erased, expired, days int64
	if err := db.queryRow(ctx, rawFacts, id).Scan(&sizeBytes, &r.chunks, &erased, &expired, &days); err != nil {
		return nil, 0, fmt.Errorf("open raw %s: %w", id, err)
	}
	switch {
	case erased != 0:
		return nil, 0, rawIsGone(fmt.Sprintf("The original of this mail was erased on %s.", onDay(erased)))
	case expired != 0:
		return nil, 0, rawIsGone(fmt.Sprintf(
			"Originals are kept for %s here. That of this mail was let go on %s; what was understood of it is still here.", inDays(days), onDay(expired)))
	}
	return r, sizeBytes, nil
}

func rawIsGone(explanation string) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: explanation,
		Remedy:      "Look for it on the mail server, if it is still there.",
	}
}

func onDay(micros int64) string { return at(micros).Format("2 January 2006") }

func inDays(n int64) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// OpenRaw streams the exact bytes of a message, for the parts of the program that
// read it without being asked by anybody.
func (db *DB) OpenRaw(ctx context.Context, id postroom.RawID) (io.ReadCloser, error) {
	body, _, err := db.openRaw(ctx, id)
	return body, err
}

type rawReader struct {
	ctx    context.Context // of the one request or turn that reads; it ends with it
	db     *DB
	id     postroom.RawID
	chunks int
	next   int
	rest   []byte
}

func (r *rawReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == r.chunks {
			return 0, io.EOF
		}
		var packed []byte
		if err := r.db.queryRow(r.ctx, chunkByID, firstChunk(r.id)+int64(r.next)).Scan(&packed); err != nil {
			return 0, fmt.Errorf("read chunk %d of raw %s: %w", r.next, r.id, err)
		}
		plain, err := r.db.codec.unpack(packed)
		if err != nil {
			return 0, fmt.Errorf("unpack chunk %d of raw %s: %w", r.next, r.id, err)
		}
		r.rest, r.next = plain, r.next+1
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *rawReader) Close() error { return nil }
