package credential

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// A Forecast says what is known to end.
type Forecast struct {
	Store   *store.DB
	Presets *provider.Presets
	Now     func() time.Time // nil: time.Now
}

// Ahead lists what is known to end, the soonest first.
func (f *Forecast) Ahead(ctx context.Context) ([]postroom.Expiry, error) {
	return nil, nil
}
