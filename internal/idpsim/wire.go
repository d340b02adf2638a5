package idpsim

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// failure returns the error answer of the fault, or nil where it has none (page "Microsoft Graph error responses and
// resource types").
func (f Fault) failure() *reply {
	if f.Status == 0 {
		return nil
	}
	code, message := "UnknownError", ""
	switch f.Status {
	case http.StatusTooManyRequests:
		code, message = "TooManyRequests", "Too many requests"
	case http.StatusServiceUnavailable:
		code, message = "serviceNotAvailable", "The service is temporarily unavailable."
	case http.StatusInternalServerError:
		code, message = "InternalServerError", "An internal server error occurred."
	case http.StatusBadGateway:
		code, message = "BadGateway", "Failed to execute backend request."
	case http.StatusGatewayTimeout:
		code, message = "GatewayTimeout", "The server did not receive a timely response from the upstream server."
	case http.StatusForbidden:
		code, message = "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
	case http.StatusUnauthorized:
		code, message = "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	}
	rep := fail(f.Status, cmp.Or(f.Code, code), cmp.Or(f.Message, message))
	if f.RetryAfter != "" {
		rep.header = map[string]string{"Retry-After": f.RetryAfter}
	}
	return &rep
}

// struckDown returns the answer of the first fault that fails the request, or nil.
func (t *Tenant) struckDown(r *request, struck []Fault) *reply {
	for _, f := range struck {
		if f.Expired {
			rep := fail(http.StatusBadRequest, "Directory_ExpiredPageToken",
				"The specified page token value has expired and can no longer be included in your request.")
			if strings.Contains(r.path, "/delta") {
				rep = (&deltaLog{shape: f.Expiry}).expired(r)
			}
			return &rep
		}
		if rep := f.failure(); rep != nil {
			return rep
		}
	}
	return nil
}

// spoil alters a good answer.
func (f Fault) spoil(r *request, rep reply) {
	if rep.body == nil {
		return
	}
	const nextLink = "@odata.nextLink"
	_, list := rep.body["value"].([]object)
	if list && f.Empty {
		rep.body["value"] = []object{}
		delete(rep.body, nextLink)
	}
	if f.DropNextLink {
		delete(rep.body, nextLink)
	}
	if _, ok := rep.body[nextLink]; ok {
		switch {
		case f.NextLink != "":
			rep.body[nextLink] = f.NextLink
		case f.RepeatLink:
			rep.body[nextLink] = r.self(false)
		}
	}
	if list && f.Blank {
		rep.body["value"], rep.body[nextLink] = []object{}, r.self(true)
		delete(rep.body, "@odata.deltaLink")
		delete(rep.body, "@odata.count")
	}
}

// spoilOkta alters a good answer.
func (f Fault) spoilOkta(r *request, rep *oktaReply) {
	_, list := rep.body.([]object)
	if list && f.Empty {
		rep.body, rep.next = []object{}, ""
	}
	if f.DropNextLink {
		rep.next = ""
	}
	switch {
	case rep.next == "":
	case f.NextLink != "":
		rep.next = f.NextLink
	case f.RepeatLink:
		rep.next = r.self(false)
	}
	if list && f.Blank {
		rep.body, rep.next = []object{}, r.self(true)
	}
}

// self returns the request's own address. Again makes it another address of the same page, as a client may take a link to
// where it is for a loop.
func (r *request) self(again bool) string {
	q := url.Values{}
	for k, v := range r.query {
		q[k] = v
	}
	if again {
		n, _ := strconv.Atoi(q.Get("again")) // not there: the first time
		q.Set("again", strconv.Itoa(n+1))
	}
	out := r.base + r.path
	if len(q) > 0 {
		out += "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
	}
	return out
}

// pause runs what a fault wants to happen before the directory is read.
func (f Fault) pause(gone <-chan struct{}) {
	if f.Hang {
		<-gone
		return
	}
	wait(f.Delay, gone)
	if f.BeforeRead != nil {
		f.BeforeRead()
	}
}

// wait returns after d, or when the client is gone.
func wait(d time.Duration, gone <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-gone:
	}
}

// proxyPage is what a company's proxy puts in the place of an answer.
const proxyPage = `<!DOCTYPE html>
<html><head><title>%[1]d %[2]s</title></head>
<body><center><h1>%[1]d %[2]s</h1></center><hr><center>proxy.example</center></body></html>
`

// pieces is how many parts a dripping body is sent in.
const pieces = 16

// deliver sends an answer whose headers are set, spoilt on the way as the faults say.
func deliver(w http.ResponseWriter, status int, body []byte, struck []Fault, gone <-chan struct{}) {
	h, cut, drip := w.Header(), false, time.Duration(0)
	for _, f := range struck {
		switch {
		case f.Reset:
			reset(w)
		case f.Drop || f.Hang:
			panic(http.ErrAbortHandler)
		case f.HTML:
			clear(h)
			status = cmp.Or(f.Status, http.StatusOK)
			body = fmt.Appendf(nil, proxyPage, status, http.StatusText(status))
			h.Set("Content-Type", "text/html; charset=utf-8")
		}
		if f.ContentType != "" {
			h.Set("Content-Type", f.ContentType)
		}
		cut, drip = cut || f.Truncate, max(drip, f.Drip)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if cut {
		body = body[:len(body)/2] // the server closes the connection over the shortfall
	}
	if drip > 0 {
		dribble(w, body, drip, gone)
		return
	}
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

// dribble writes the body in pieces.
func dribble(w http.ResponseWriter, body []byte, pause time.Duration, gone <-chan struct{}) {
	flush := http.NewResponseController(w)
	size := max(1, (len(body)+pieces-1)/pieces)
	for len(body) > 0 {
		wait(pause, gone)
		n := min(size, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		_ = flush.Flush() // a writer that cannot flush sends all at the end
		body = body[n:]
	}
}

// reset ends the connection so that the client sees it reset, and doesn't return.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 has no connection to give away
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST in place of FIN
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}
