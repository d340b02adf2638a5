package scimserver

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the size in bytes from which an answer is packed: a smaller one fits into one packet anyway.
const compressFrom = 1400

// compressed packs answers for clients that ask for it (RFC 9110, section 12.5.3).
func compressed(next http.Handler) http.Handler {
	var writers sync.Pool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if r.Method == http.MethodHead || !acceptsGzip(r.Header.Values("Accept-Encoding")) {
			next.ServeHTTP(w, r)
			return
		}
		p := &packer{ResponseWriter: w, writers: &writers}
		next.ServeHTTP(p, r)
		p.end() // not after a panic: an answer that was cut off must not look whole
	})
}

// acceptsGzip reads Accept-Encoding: gzip is wanted if it is named, or everything is, with a weight that isn't 0.
func acceptsGzip(headers []string) bool {
	named, all := -1.0, -1.0
	for _, part := range strings.Split(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			named = weight
		case "*":
			all = weight
		}
	}
	return named > 0 || named < 0 && all > 0
}

// packer is a ResponseWriter that packs what is worth it.
type packer struct {
	http.ResponseWriter

	writers *sync.Pool
	gz      *gzip.Writer // nil: as it is
	begun   bool
}

// WriteHeader decides whether the answer is packed: unless it has no body, or a small one.
func (p *packer) WriteHeader(status int) {
	if status >= http.StatusOK && !p.begun {
		p.begun = true
		if p.worthwhile(status) {
			h := p.Header()
			h.Del("Content-Length")
			h.Set("Content-Encoding", "gzip")
			p.gz = p.writer()
		}
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *packer) worthwhile(status int) bool {
	h := p.Header()
	if status == http.StatusNoContent || status == http.StatusNotModified || h.Get("Content-Encoding") != "" {
		return false
	}
	size, err := strconv.Atoi(h.Get("Content-Length"))
	return err != nil || size >= compressFrom // no length: it is streamed
}

func (p *packer) writer() *gzip.Writer {
	if gz, ok := p.writers.Get().(*gzip.Writer); ok {
		gz.Reset(p.ResponseWriter)
		return gz
	}
	gz, err := gzip.NewWriterLevel(p.ResponseWriter, gzip.BestSpeed)
	if err != nil { // the level is a constant that exists
		return gzip.NewWriter(p.ResponseWriter)
	}
	return gz
}

// Write implements io.Writer.
func (p *packer) Write(b []byte) (int, error) {
	if !p.begun {
		p.WriteHeader(http.StatusOK)
	}
	if p.gz != nil {
		return p.gz.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController: what is packed goes out first.
func (p *packer) FlushError() error {
	if p.gz != nil {
		if err := p.gz.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (p *packer) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *packer) end() {
	if p.gz == nil {
		return
	}
	_ = p.gz.Close() // the client is gone: nobody is left to tell
	p.writers.Put(p.gz)
	p.gz = nil
}
