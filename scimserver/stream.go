package scimserver

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// stallTime is how long a client may take to read the next piece of a streamed answer. The snapshot behind it is open
// that long, so a client that stops reading must not hold it.
const stallTime = 30 * time.Second

// patient writes to a client that has a while for each piece. The status goes out with the first.
type patient struct {
	w      http.ResponseWriter
	ctl    *http.ResponseController
	status int
	pieces int
}

// Write implements io.Writer. The first piece fits into the buffers on the way, so only further ones can stall.
func (p *patient) Write(b []byte) (int, error) {
	if p.pieces == 0 {
		p.w.WriteHeader(p.status)
	} else {
		_ = p.ctl.SetWriteDeadline(time.Now().Add(stallTime)) // not every ResponseWriter has one
	}
	p.pieces++
	return p.w.Write(b)
}

// done takes the deadline off again: the connection may serve further requests.
func (p *patient) done() {
	if p.pieces > 1 {
		_ = p.ctl.Flush()
		_ = p.ctl.SetWriteDeadline(time.Time{})
	}
}

// stream writes an answer piece by piece. One that fails before its first piece is an error like any other; after it the
// connection is cut, so that no client takes the part for the whole.
func (x *exchange) stream(a answer, write func(*patient) error) error {
	out := &patient{w: x.w, ctl: http.NewResponseController(x.w), status: a.status}
	x.header(a)
	err := write(out)
	if err == nil || out.pieces == 0 {
		out.done()
		return err
	}
	if x.r.Context().Err() == nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelWarn, "SCIM answer cut off", slog.String("request_id", x.id), slog.Any("error", err))
	}
	panic(http.ErrAbortHandler)
}

// flush ends a buffered writer's work unless it has failed already.
func flush(w *bufio.Writer, err error) error {
	if err != nil {
		return err
	}
	return w.Flush()
}

// listGroups is GET /Groups (RFC 7644, section 3.4.2). A page with members may hold fewer groups than asked for.
func (x *exchange) listGroups() error {
	p, err := x.page(x.s.groups)
	if err != nil {
		return err
	}
	if !p.projection.Wants("members") || x.r.Method == http.MethodHead {
		teams, total, err := x.s.store.ScimTeams(x.r.Context(), x.view(), p.filter, p.offset(), p.count)
		if err != nil {
			return err
		}
		return x.streamGroups(&p, teams, total, func(*roster.Team) eachMember { return nil })
	}
	return x.s.store.ScimTeamPage(x.r.Context(), x.view(), p.filter, p.offset(), p.count, x.s.limits.pageMembers,
		func(page *store.TeamPage) error {
			return x.streamGroups(&p, page.Teams, page.Total, func(t *roster.Team) eachMember { return x.membersOf(page, t) })
		})
}

func (x *exchange) streamGroups(p *page, teams []roster.Team, total int, members func(*roster.Team) eachMember) error {
	return x.stream(answer{status: http.StatusOK}, func(out *patient) error {
		g := x.groupWriter(p.projection, out)
		if _, err := fmt.Fprintf(g.out, `{"schemas":[%q],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":[`,
			scim.ListResponseURN, total, p.StartIndex, len(teams)); err != nil {
			return err
		}
		for i := range teams {
			if i > 0 {
				if err := g.out.WriteByte(','); err != nil {
					return err
				}
			}
			if err := g.write(&teams[i], members(&teams[i])); err != nil {
				return err
			}
		}
		_, err := g.out.WriteString("]}")
		return flush(g.out, err)
	})
}
