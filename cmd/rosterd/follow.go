package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
)

const (
	firstPoll  = 50 * time.Millisecond
	slowPoll   = time.Second
	askTimeout = 30 * time.Second
	lineWidth  = 79
	// planTimeout is for a plan of hundreds of thousands of actions.
	planTimeout = 10 * time.Minute
)

// follower watches runs until all are finished.
type follower struct {
	p        *program
	client   *client.Client
	runs     []client.Run
	live     bool      // standard error is a terminal: one line, rewritten
	lines    bool      // else: a line for each change
	shown    string    // what progress said last
	answered time.Time // when a daemon last answered
}

// follow polls the runs until they are finished and returns them with their actions, or, beside an error, as last
// seen. A daemon that doesn't answer is asked again for a while. Where standard error is no terminal, progress is
// written only if lines is set.
func (p *program) follow(ctx context.Context, c *client.Client, runs []client.Run, lines bool) ([]client.Run, error) {
	f := &follower{p: p, client: c, runs: append([]client.Run(nil), runs...), live: p.live(), lines: lines, answered: time.Now()}
	defer f.clear()
	pause := firstPoll
	for {
		f.show()
		if f.finished() {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return f.runs, err
		}
		pause = min(pause*3/2, slowPoll)
		for i := range f.runs {
			if f.runs[i].Finished() {
				continue
			}
			if err := f.refresh(ctx, i, false); err != nil {
				return f.runs, err
			}
		}
	}
	for i := range f.runs {
		if err := f.refresh(ctx, i, true); err != nil {
			return f.runs, err
		}
	}
	return f.runs, nil
}

func (f *follower) finished() bool {
	for i := range f.runs {
		if !f.runs[i].Finished() {
			return false
		}
	}
	return true
}

// refresh reads one run again, and again while no daemon answers.
func (f *follower) refresh(ctx context.Context, i int, actions bool) error {
	for pause := firstPoll; ; pause = min(pause*2, slowPoll) {
		run, err := f.ask(ctx, f.runs[i].Run, actions)
		switch {
		case err == nil:
			f.runs[i], f.answered = run, time.Now()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !client.Temporary(err) && !errors.Is(err, context.DeadlineExceeded):
			return err
		case time.Since(f.answered) > f.p.patience:
			return fmt.Errorf("gave up waiting for run %s, which may go on (`rosterd runs show %s`): %w", f.runs[i].Run, f.runs[i].Run, err)
		}
		f.say("no answer from the daemon, trying again")
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// ask reads a run. A whole plan may be long.
func (f *follower) ask(ctx context.Context, id string, actions bool) (client.Run, error) {
	most := askTimeout
	if actions {
		most = planTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return f.client.Run(ctx, id, actions)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// show says how far the runs are.
func (f *follower) show() {
	parts := make([]string, len(f.runs))
	for i := range f.runs {
		parts[i] = progress(&f.runs[i], f.live)
	}
	f.say(strings.Join(parts, " · "))
}

// say writes text on the live line, or as a line if it is new.
func (f *follower) say(text string) {
	if text == f.shown {
		return
	}
	f.shown = text
	text = printable(text)
	switch {
	case f.live:
		if runes := []rune(text); len(runes) > lineWidth {
			text = string(runes[:lineWidth-1]) + "…"
		}
		_, _ = fmt.Fprintf(f.p.stderr, "\r\x1b[K%s", text)
	case f.lines:
		_, _ = fmt.Fprintln(f.p.stderr, text)
	}
}

func (f *follower) clear() {
	if f.live {
		_, _ = fmt.Fprint(f.p.stderr, "\r\x1b[K")
	}
}

// progress says where one run is; the figures only where they may change on the spot.
func progress(r *client.Run, figures bool) string {
	text := orDash(r.Connection) + ": " + r.State
	if r.Finished() || r.Progress == nil {
		return text
	}
	if r.Progress.Phase != "" {
		text = orDash(r.Connection) + ": " + r.Progress.Phase
	}
	if !figures {
		return text
	}
	if r.Progress.Pages > 0 || r.Progress.Objects > 0 {
		text += fmt.Sprintf(", %s, %s", count(r.Progress.Pages, "page", "pages"), count(r.Progress.Objects, "object", "objects"))
	}
	if r.Progress.Applied > 0 {
		text += fmt.Sprintf(", %d applied", r.Progress.Applied)
	}
	return text
}

// leave says how to go on after the person stopped waiting.
func (p *program) leave(runs []client.Run) {
	for _, r := range runs {
		if r.Finished() {
			continue
		}
		p.note("Run %s goes on without you. Look: `rosterd runs show %s`. Stop it: `rosterd runs cancel %s`.", r.Run, r.Run, r.Run)
	}
}
