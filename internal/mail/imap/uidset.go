package imap

import (
	"errors"
	"slices"
	"strconv"
)

const (
	// maxSetBytes keeps a command below the 8,192 octets that RFC 7162 section 4
	// lets a client send, with room for servers that allow less.
	maxSetBytes = 4000
	// maxUIDs is far above what any folder holds: a range of billions is nonsense
	// and must not fill the memory.
	maxUIDs = 20_000_000
)

var errTooManyUIDs = errors.New("the server lists more than 20,000,000 messages in one folder")

// nextSet writes a UID set of the first UIDs of uids, which are sorted, and
// returns the rest: at most limit (0: no limit), and not above maxSetBytes.
func nextSet(uids []uint32, limit int) (set string, taken, rest []uint32) {
	var b []byte
	i := 0
	for i < len(uids) && len(b) < maxSetBytes && (limit == 0 || i < limit) {
		last := i
		for last+1 < len(uids) && uids[last+1] <= uids[last]+1 && (limit == 0 || last+1 < limit) {
			last++
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(uids[i]), 10)
		if uids[last] > uids[i] {
			b = strconv.AppendUint(append(b, ':'), uint64(uids[last]), 10)
		}
		i = last + 1
	}
	return string(b), uids[:i], uids[i:]
}

// normal returns uids sorted, each once, without 0, which no message has.
func normal(uids []uint32) []uint32 {
	if !slices.IsSorted(uids) {
		uids = slices.Clone(uids)
		slices.Sort(uids)
	}
	if len(uids) > 0 && uids[0] == 0 || hasTwins(uids) {
		uids = slices.Compact(slices.Clone(uids))
		if uids[0] == 0 {
			uids = uids[1:]
		}
	}
	return uids
}

func hasTwins(sorted []uint32) bool {
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return true
		}
	}
	return false
}

// A uidList collects UIDs from number lists that come in pieces: "1 2 3" of a
// SEARCH response, "1:3,5" of an ESEARCH response.
type uidList struct {
	uids []uint32
	from uint32 // lower ones are left out: "n:*" names the last message even below n

	// count is how many there were. With counts set they are not kept.
	count  uint64
	counts bool

	n, low  uint64
	digits  int
	isRange bool
	ended   bool // something that is no number list has come
}

// feed reads a piece. It stops for good at the first byte that belongs to
// neither kind of list.
func (u *uidList) feed(piece []byte) error {
	for _, c := range piece {
		if u.ended {
			return nil
		}
		switch {
		case '0' <= c && c <= '9':
			if u.digits++; u.digits < 19 {
				u.n = u.n*10 + uint64(c-'0')
			}
		case c == ':':
			u.low, u.isRange, u.n, u.digits = u.n, true, 0, 0
		case c == ' ' || c == ',' || c == '\r' || c == '\t':
			if err := u.close(); err != nil {
				return err
			}
		default:
			u.ended = true
			return u.close()
		}
	}
	return nil
}

// close ends the number that is being read.
func (u *uidList) close() error {
	low, high := u.n, u.n
	if u.isRange {
		low, high = min(u.low, u.n), max(u.low, u.n)
	}
	if u.digits > 0 && u.digits < 19 && high <= 1<<32-1 {
		low = max(low, uint64(u.from), 1)
		if low <= high {
			u.count += high - low + 1
		}
		if u.count > maxUIDs && !u.counts {
			return errTooManyUIDs
		}
		for n := low; n <= high && !u.counts; n++ {
			u.uids = append(u.uids, uint32(n))
		}
	}
	u.n, u.low, u.digits, u.isRange = 0, 0, 0, false
	return nil
}
