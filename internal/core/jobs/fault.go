package jobs

import (
	"errors"
	"time"

	"github.com/sunya-cloud/sunya"
)

// faultOf is how an error looks to the owner of a job.
func faultOf(err error, now time.Time) *Fault {
	f := &Fault{Code: sunya.Internal, Message: "internal error: see the server's log", Time: now}
	var e *sunya.Error
	if errors.As(err, &e) {
		f.Code, f.Reason, f.Message = e.Code, e.Reason, e.Public()
	}
	return f
}
