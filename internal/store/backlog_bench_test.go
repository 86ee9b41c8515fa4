package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// What the commits of one mail cost: its name, its bytes, its issue. Mail is brought
// by 64 and filed by eight at a time, as the reader and the pipeline do.
func BenchmarkCommitsSQLite(b *testing.B) {
	benchmarkCommits(b, Options{Path: filepath.Join(b.TempDir(), "postroom.db")})
}

func BenchmarkCommitsPostgres(b *testing.B) {
	benchmarkCommits(b, Options{URL: testbed.Postgres(b)})
}

func benchmarkCommits(b *testing.B, o Options) {
	const batch, workers = 64, 8
	ctx := context.Background()
	db := openForTest(b, o)
	p := newPostman(b, db, "one")
	box := p.mailbox("support")
	f, n := p.fence(box), p.box[box]
	text := strings.Repeat("Some words of a mail that is as long as mails are. ", 80)
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		var names []Listed
		for i := range batch {
			names = append(names, Listed{Name: postroom.Name{UID: uint32(done + i + 1)}, State: postroom.ArrivalWaiting, SizeBytes: 4000})
		}
		p.must(db.BookNames(ctx, f, n, names, uint32(done+batch)))
		wanted, err := db.WantedArrivals(ctx, n.ID, 0, batch)
		p.must(err)
		brought := make([]Brought, len(wanted))
		for i, w := range wanted {
			raw, err := db.ReadRaw(ctx, strings.NewReader(fmt.Sprintf("%d %s", w.ID, text)), 1<<20, nil)
			p.must(err)
			brought[i] = Brought{Arrival: w.ID, Raw: raw, HasMessageID: true}
		}
		p.must(db.RecordBytes(ctx, f, brought))
		ready, err := db.ReadyArrivals(ctx, f.Node, 0, batch)
		p.must(err)
		var wait sync.WaitGroup
		for worker := range workers {
			wait.Go(func() {
				for i := worker; i < len(ready); i += workers {
					m := letterOf(fmt.Sprintf("%d@example.net", ready[i].ID))
					m.Text, m.Digest = text, sha256.Sum256([]byte(m.MessageID))
					_, err := db.File(ctx, Filing{Fence: f, Arrival: ready[i].ID, Raw: ready[i].Raw, SizeBytes: 4000, Mail: m, Words: m.Text, At: ready[i].SeenAt})
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		wait.Wait()
	}
}
