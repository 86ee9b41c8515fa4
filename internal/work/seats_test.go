package work

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func takeSeat(t *testing.T, s *Seats) *Seat {
	t.Helper()
	seat, err := s.Take(t.Context(), "server")
	if err != nil {
		t.Fatal(err)
	}
	seat.Serve()
	return seat
}

// oneTooMany takes a seat for which the other side has no place.
func oneTooMany(t *testing.T, s *Seats) {
	t.Helper()
	seat, err := s.Take(t.Context(), "server")
	if err != nil {
		t.Fatal(err)
	}
	s.Learn(seat)
	seat.Leave()
}

func TestEverybodyIsSeatedUntilALimitIsKnown(t *testing.T) {
	var s Seats
	var seats []*Seat
	for range 100 {
		seats = append(seats, takeSeat(t, &s))
	}
	if _, limited := seats[0].Until(); limited || seats[0].MakeRoom() || s.Served("server") != 100 {
		t.Errorf("limited = %v, served = %d", limited, s.Served("server"))
	}
	for _, seat := range seats {
		seat.Leave()
		seat.Leave()
	}
	if len(s.tables) != 0 || s.Served("server") != 0 {
		t.Errorf("%d tables are kept", len(s.tables))
	}
}

func TestFiftyShareTwentySeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Seats{Hold: 10 * time.Second, Probe: time.Hour}
		var seats []*Seat
		for range 20 {
			seats = append(seats, takeSeat(t, &s))
		}
		oneTooMany(t, &s)
		for _, seat := range seats {
			seat.Leave()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var mu sync.Mutex
		turns := make([]int, 50)
		most := 0
		var wg sync.WaitGroup
		for i := range turns {
			wg.Go(func() {
				for ctx.Err() == nil {
					seat, err := s.Take(ctx, "server")
					if err != nil {
						return
					}
					seat.Serve()
					mu.Lock()
					turns[i]++
					most = max(most, s.Served("server"))
					mu.Unlock()
					for ctx.Err() == nil && !seat.MakeRoom() {
						until, ok := seat.Until()
						if !ok {
							t.Error("the limit is not known any more")
						}
						sleep(ctx, time.Until(until))
					}
					seat.Leave()
				}
			})
		}
		wg.Wait()
		if least := slices.Min(turns); least < 15 || most != 20 {
			t.Errorf("the least had %d turns in ten minutes, want 15 or more; at most %d were seated, want 20", least, most)
		}
	})
}

func TestOneMoreIsTriedAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Seats{Probe: time.Minute}
		first := takeSeat(t, &s)
		oneTooMany(t, &s) // one is all
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Take(ctx, "server"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second is seated: %v", err)
		}
		time.Sleep(time.Minute)
		oneTooMany(t, &s) // still too much: it takes twice as long now
		time.Sleep(90 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Take(ctx, "server"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second is seated: %v", err)
		}
		time.Sleep(time.Minute)
		takeSeat(t, &s).Leave()
		first.Leave()
	})
}

func TestOnlyAsManyMakeRoomAsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Seats{Hold: time.Second, Probe: time.Hour}
		seats := []*Seat{takeSeat(t, &s), takeSeat(t, &s), takeSeat(t, &s)}
		oneTooMany(t, &s)
		time.Sleep(2 * time.Second)
		if seats[0].MakeRoom() {
			t.Error("room is made for nobody")
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			takeSeat(t, &s).Leave()
		}()
		synctest.Wait()
		if !seats[0].MakeRoom() || seats[1].MakeRoom() || seats[2].MakeRoom() {
			t.Error("it is not the one held for longest that makes room")
		}
		seats[0].Leave()
		<-done
		seats[1].Leave()
		seats[2].Leave()
	})
}
