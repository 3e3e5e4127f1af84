package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// uPlot.iife.min.js and uPlot.min.css are uPlot 1.6.32's, unchanged; uPlot.LICENSE is its licence.
//
//go:embed assets/page.css assets/page.js assets/icon.svg assets/uPlot.iife.min.js assets/uPlot.min.css assets/uPlot.LICENSE
var assetFiles embed.FS

// assets serves the files that pages load. Their addresses hold a version, so browsers keep them.
var assets = sync.OnceValue(func() *assetHandler {
	return &assetHandler{version: versionOf(assetFiles), packed: map[string][]byte{}}
})

type assetHandler struct {
	version string
	mu      sync.Mutex
	packed  map[string][]byte // gzip, by name; made when it is asked for first
}

func versionOf(files embed.FS) string {
	sum := sha256.New()
	entries, _ := files.ReadDir("assets")
	for _, entry := range entries {
		text, _ := files.ReadFile("assets/" + entry.Name())
		fmt.Fprintf(sum, "%s %d\n", entry.Name(), len(text))
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

func (a *assetHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	text, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // as the machine's own table may say otherwise
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".LICENSE":
		kind = "text/plain; charset=utf-8"
	}
	header.Set("Content-Type", kind)
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.version {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		text = a.pack(name, text)
		header.Set("Content-Encoding", "gzip")
	}
	w.Write(text)
}

func (a *assetHandler) pack(name string, text []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if packed, ok := a.packed[name]; ok {
		return packed
	}
	var b bytes.Buffer
	packer, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	packer.Write(text)
	packer.Close()
	a.packed[name] = b.Bytes()
	return b.Bytes()
}

// lampStyle serves the colours of the lamps: a style sheet, since the page allows no style inside
// of its HTML.
func (s *Server) lampStyle(w http.ResponseWriter, r *http.Request) {
	state, err := s.options.State(r.Context())
	if err != nil {
		http.Error(w, "the lamps are not known now", http.StatusInternalServerError)
		return
	}
	var light, dark strings.Builder
	for i, lamp := range state.Lamps {
		fmt.Fprintf(&light, ".lamp-%d{--lamp:%s}\n", i, lamp.Color.on(lightPaper))
		fmt.Fprintf(&dark, ".lamp-%d{--lamp:%s}\n", i, lamp.Color.on(darkPaper))
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	fmt.Fprintf(w, "%s@media (prefers-color-scheme: dark) {\n%s}\n", &light, &dark)
}
