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

// follower watches runs until all are finished: by the stream of each, or, where there is none, by asking again and again.
type follower struct {
	p        *program
	client   *client.Client
	runs     []client.Run
	told     []client.RunProgress // what the streams said last
	streams  []stream
	updates  chan update
	live     bool   // standard error is a terminal: one line, rewritten
	lines    bool   // else: a line for each change, and now and then how far it is
	shown    string // what progress said last
	saidAt   time.Time
	begun    map[string]begun
	answered time.Time // when a daemon last answered
}

// stream is how a run is followed.
type stream struct {
	open bool // its updates come by themselves
	fed  bool // it has told something
}

// update is what a stream says of one run: how it is now, or how the stream ended.
type update struct {
	i    int
	seen client.RunUpdate
	end  *client.Run
	err  error
}

// begun is when a run's pull was first seen to have come somewhere.
type begun struct {
	at      time.Time
	objects int
}

// follow watches the runs until they are finished and returns them with their actions, or, beside an error, as last seen.
// A daemon that doesn't answer is asked again for a while. Where standard error is no terminal, progress is written only
// if lines is set.
func (p *program) follow(ctx context.Context, c *client.Client, runs []client.Run, lines bool) ([]client.Run, error) {
	f := &follower{
		p: p, client: c, runs: append([]client.Run(nil), runs...), told: make([]client.RunProgress, len(runs)),
		streams: make([]stream, len(runs)), updates: make(chan update), live: p.live(), lines: lines,
		answered: time.Now(), begun: map[string]begun{},
	}
	defer f.clear()
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	for i := range f.runs {
		f.open(streaming, i)
	}
	pause := firstPoll
	for {
		f.show()
		if f.finished() {
			break
		}
		if err := f.wait(ctx, pause); err != nil {
			return f.runs, err
		}
		pause = min(pause*3/2, slowPoll)
		if err := f.poll(ctx, streaming); err != nil {
			return f.runs, err
		}
	}
	for i := range f.runs {
		if err := f.refresh(ctx, i, true); err != nil {
			return f.runs, err
		}
	}
	return f.runs, nil
}

// open begins to stream a run.
func (f *follower) open(ctx context.Context, i int) {
	if f.runs[i].Finished() {
		return
	}
	f.streams[i] = stream{open: true}
	id := f.runs[i].Run
	tell := func(u update) {
		u.i = i
		select {
		case f.updates <- u:
		case <-ctx.Done():
		}
	}
	go func() {
		run, err := f.client.FollowRun(ctx, id, func(seen client.RunUpdate) { tell(update{seen: seen}) })
		if err != nil {
			tell(update{err: err})
			return
		}
		tell(update{end: &run})
	}()
}

// wait takes the next update, or lets a pause pass.
func (f *follower) wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case u := <-f.updates:
		f.take(u)
	}
	return nil
}

func (f *follower) take(u update) {
	r, s := &f.runs[u.i], &f.streams[u.i]
	f.answered = time.Now()
	switch {
	case u.err != nil:
		s.open = false
	case u.end != nil:
		*r, s.open = *u.end, false
	case u.seen.Progress != nil:
		f.told[u.i], s.fed = *u.seen.Progress, true
		r.Progress = &f.told[u.i].Progress
	case u.seen.State == "queued" || u.seen.State == "running": // how it ended comes with its end
		r.State, s.fed = u.seen.State, true
	}
}

// poll asks for the runs that no stream tells of. A stream that broke off is opened again once a daemon answers.
func (f *follower) poll(ctx, streaming context.Context) error {
	for i := range f.runs {
		if f.runs[i].Finished() || f.streams[i].open {
			continue
		}
		if err := f.refresh(ctx, i, false); err != nil {
			return err
		}
		if f.streams[i].fed {
			f.open(streaming, i)
		}
	}
	return nil
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

// linesEvery is how often figures are written where there is no line to rewrite.
const linesEvery = 5 * time.Second

// show says how far the runs are.
func (f *follower) show() {
	figures := f.live || f.lines && !f.saidAt.IsZero() && time.Since(f.saidAt) >= linesEvery
	if !figures {
		f.say(f.text(false))
		return
	}
	text := f.text(true)
	if f.live && len(f.runs) == 1 {
		text = withBar(text, f.share(0), f.p.width())
	}
	f.say(text)
}

func (f *follower) text(figures bool) string {
	parts := make([]string, len(f.runs))
	for i := range f.runs {
		parts[i] = progress(&f.runs[i], figures)
		if figures {
			parts[i] += f.planned(i) + f.left(i)
		}
	}
	return strings.Join(parts, " · ")
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
		_, _ = fmt.Fprintf(f.p.stderr, "\r\x1b[K%s", cut(text, f.p.width()))
	case f.lines:
		f.saidAt = time.Now()
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
		text += fmt.Sprintf(", %s, %s", count(r.Progress.Pages, "page", "pages"), objects(r.Progress))
	}
	if r.Progress.Phase == "plan" && r.Progress.Compared > 0 {
		text += fmt.Sprintf(", %d compared", r.Progress.Compared)
	}
	if r.Progress.Applied > 0 {
		text += fmt.Sprintf(", %d applied", r.Progress.Applied)
	}
	return text
}

// objects says how many objects were read, and of how many where that is known.
func objects(p *client.Progress) string {
	if p.Total <= 0 {
		return count(p.Objects, "object", "objects")
	}
	of := ""
	if p.TotalIsEstimate {
		of = "about "
	}
	return fmt.Sprintf("%d of %s%s (%d%%)", p.Objects, of, count(p.Total, "object", "objects"), percent(p))
}

// percent is how much of the total was read. By an estimate it is never all of it: the end says that.
func percent(p *client.Progress) int {
	most := 100
	if p.TotalIsEstimate {
		most = 99
	}
	return min(most, int(int64(p.Objects)*100/int64(p.Total)))
}

// shortest is for how long a pull is watched before its speed says anything.
const shortest = 5 * time.Second

// left says how much longer a run's phase will take; empty where that can't be said. A stream tells; of what was asked for
// again and again, the speed of the pull does.
func (f *follower) left(i int) string {
	r := &f.runs[i]
	p := r.Progress
	if r.Finished() || p == nil {
		return ""
	}
	if f.streams[i].open {
		if eta := f.told[i].ETA; eta != nil && *eta > 0 {
			return inWords(time.Duration(*eta * float64(time.Second)))
		}
		return ""
	}
	if p.Phase != "pull" || p.Total <= 0 {
		return ""
	}
	since, seen := f.begun[r.Run]
	if !seen || p.Objects < since.objects { // a pull that began anew
		f.begun[r.Run] = begun{time.Now(), p.Objects}
		return ""
	}
	return remaining(p.Objects-since.objects, p.Total-p.Objects, time.Since(since.at))
}

// remaining puts the time that so many objects will take into words, when others took a time.
func remaining(done, missing int, took time.Duration) string {
	if done <= 0 || missing <= 0 || took < shortest {
		return ""
	}
	return inWords(time.Duration(float64(took) / float64(done) * float64(missing)))
}

func inWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return ", under a minute left"
	case d < time.Hour:
		return fmt.Sprintf(", about %d min left", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf(", about %.1f h left", d.Hours())
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
