package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// assets are the files that belong to the program. Each is served under an
// address that contains the hash of its content, so that browsers keep it for
// good and never show an old one.
type assets struct {
	files   map[string]asset  // by address below /static/
	address map[string]string // name → address
}

type asset struct {
	kind string
	body []byte
}

func loadAssets() *assets {
	a := &assets{files: make(map[string]asset), address: make(map[string]string)}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "static/")
		sum := sha256.Sum256(body)
		at := hex.EncodeToString(sum[:6]) + "/" + path.Base(name)
		a.files[at] = asset{kind(name), body}
		a.address[name] = "/static/" + at
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("read an embedded file: %v", err)) // they are part of the program
	}
	return a
}

// kind is the media type of a file; the few that are here do not depend on what
// the machine knows of types.
func kind(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "text/plain; charset=utf-8"
}

// ServeHTTP answers GET /static/{hash}/{name}.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(f.body) // the browser may have gone
}
