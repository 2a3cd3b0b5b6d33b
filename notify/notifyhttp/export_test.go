package notifyhttp

import "github.com/stella-ops/stella/notify"

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes() {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// TimelineRoutes lists those of a TimelineHandler.
func TimelineRoutes() [][2]string {
	var out [][2]string
	for _, r := range timelineRoutes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Restricted lists the routes that are for operators, or readers of payloads, only.
func Restricted() [][2]string {
	var out [][2]string
	for _, r := range routes() {
		if r.right == mayOperate || r.right == mayOpen {
			out = append(out, [2]string{r.method, r.path})
		}
	}
	return out
}

// Bodies makes an empty body of each kind that is read from strangers.
func Bodies() []any {
	return []any{new(notify.Endpoint), new(notify.Rule), new(notify.Template), new(notify.Maintenance), new(notify.Inhibition), new(PreviewRequest), new(trial), new(taking)}
}

// Line reads texts of strangers.
var Line = line
