package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// runTrafficOptions are the flags of services update-traffic.
type runTrafficOptions struct {
	toLatest              bool
	toRevisions, toTags   map[string]string
	setTags, updateTags   map[string]string
	removeTags            []string
	clearTags, setTagsAll bool
	async                 bool
}

func newRunTrafficCommand(env *Env) *cobra.Command {
	var o runTrafficOptions
	cmd := &cobra.Command{
		Use:   "update-traffic SERVICE",
		Short: "Share the traffic of a service out over revisions; name them by tags.",
		Long: "Share the traffic of a service out over revisions. The shares are percent; what\n" +
			"they leave of 100 goes to the others as it was shared out among them. LATEST\n" +
			"stands for the newest revision that is ready, whichever that is.",
		Args:    args(1, 1, "the name of a service"),
		Example: "sunya run services update-traffic hello --to-latest\nsunya run services update-traffic hello --to-revisions hello-00001-abc=90,LATEST=10 --set-tags old=hello-00001-abc",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.setTagsAll = cmd.Flags().Changed("set-tags")
			return updateTraffic(cmd.Context(), env, args[0], o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.toLatest, "to-latest", false, "everything to the newest revision, now and in future")
	pairsFlag(f, "to-revisions", "REVISION=PERCENT,…: who gets how much", func(v map[string]string) { o.toRevisions = added(o.toRevisions, v) })
	pairsFlag(f, "to-tags", "TAG=PERCENT,…: who gets how much", func(v map[string]string) { o.toTags = added(o.toTags, v) })
	pairsFlag(f, "set-tags", "TAG=REVISION,…: all tags", func(v map[string]string) { o.setTags = added(o.setTags, v) })
	pairsFlag(f, "update-tags", "TAG=REVISION,…: tags to add or move", func(v map[string]string) { o.updateTags = added(o.updateTags, v) })
	listFlag(f, "remove-tags", "tags to take away: TAG,…", func(v []string) { o.removeTags = append(o.removeTags, v...) })
	f.BoolVar(&o.clearTags, "clear-tags", false, "take all tags away")
	f.BoolVar(&o.async, "async", false, "do not wait until the traffic has moved")
	return cmd
}

func updateTraffic(ctx context.Context, env *Env, id string, o runTrafficOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	return withRun(ctx, env, func(a *runAPI) error {
		s, err := a.service(ctx, id)
		if err != nil {
			return err
		}
		if s.Traffic, err = o.split(s.GetTraffic()); err != nil {
			return err
		}
		op, err := a.services.UpdateService(ctx, &runpb.UpdateServiceRequest{Service: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"traffic"}}})
		if err != nil {
			return err
		}
		if o.async {
			return write(env.Stdout, []byte(op.Name()+"\n"))
		}
		if err := a.wait(ctx, op.Name()); err != nil {
			return err
		}
		if s, err = a.service(ctx, id); err != nil {
			return err
		}
		if env.output().kind != "table" {
			return printOne(env, s)
		}
		return write(env.Stdout, trafficTable(s))
	})
}

func (o *runTrafficOptions) check() error {
	shares := 0
	for _, given := range []bool{o.toLatest, o.toRevisions != nil, o.toTags != nil} {
		if given {
			shares++
		}
	}
	switch {
	case shares > 1:
		return usagef("--to-latest, --to-revisions and --to-tags cannot stand beside each other")
	case o.setTagsAll && (o.updateTags != nil || o.removeTags != nil || o.clearTags):
		return usagef("--set-tags replaces all tags: it cannot stand beside --update-tags, --remove-tags and --clear-tags")
	case shares == 0 && !o.setTagsAll && o.updateTags == nil && o.removeTags == nil && !o.clearTags:
		return usagef("nothing to change: use --to-latest, --to-revisions, --to-tags, or a flag about tags")
	}
	return nil
}

// latestWord stands for the newest revision that is ready.
const latestWord = "LATEST"

// trafficTarget is one that a name stands for; LATEST is no revision's name.
func trafficTarget(name string) *runpb.TrafficTarget {
	if strings.EqualFold(name, latestWord) {
		return &runpb.TrafficTarget{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST}
	}
	return &runpb.TrafficTarget{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, Revision: name}
}

// targetName is the reverse.
func targetName(t *runpb.TrafficTarget) string {
	if t.GetType() == runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST {
		return latestWord
	}
	return lastOf(t.GetRevision())
}

// split is the traffic after the flags: shares without tags first, then tags.
func (o *runTrafficOptions) split(now []*runpb.TrafficTarget) ([]*runpb.TrafficTarget, error) {
	shares, tags := map[string]int{}, map[string]string{}
	for _, t := range now {
		shares[targetName(t)] += int(t.GetPercent())
		if t.GetTag() != "" {
			tags[t.GetTag()] = targetName(t)
		}
	}
	if len(now) == 0 {
		shares[latestWord] = 100
	}
	o.retag(tags)
	shares, err := o.shares(shares, tags)
	if err != nil {
		return nil, err
	}
	var out []*runpb.TrafficTarget
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		if shares[name] > 0 {
			t := trafficTarget(name)
			t.Percent = int32(shares[name])
			out = append(out, t)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		t := trafficTarget(tags[tag])
		t.Tag = tag
		out = append(out, t)
	}
	return out, nil
}

func (o *runTrafficOptions) retag(tags map[string]string) {
	if o.setTagsAll || o.clearTags {
		clear(tags)
	}
	for _, tag := range o.removeTags {
		delete(tags, tag)
	}
	maps.Copy(tags, o.setTags)
	maps.Copy(tags, o.updateTags)
}

// shares are the percents after the flags.
func (o *runTrafficOptions) shares(now map[string]int, tags map[string]string) (map[string]int, error) {
	switch {
	case o.toLatest:
		return map[string]int{latestWord: 100}, nil
	case o.toRevisions != nil:
		return spread(now, o.toRevisions, "--to-revisions")
	case o.toTags != nil:
		named := map[string]string{}
		for tag, percent := range o.toTags {
			revision, ok := tags[tag]
			if !ok {
				has := cmp.Or(strings.Join(slices.Sorted(maps.Keys(tags)), ", "), "none")
				return nil, usagef("--to-tags: the service has no tag %q; its tags: %s", tag, has)
			}
			named[revision] = percent
		}
		return spread(now, named, "--to-tags")
	}
	return now, nil
}

// spread gives the named their percents, and what is left of 100 to the others,
// in the proportions that they had.
func spread(now map[string]int, named map[string]string, flag string) (map[string]int, error) {
	out, rest := map[string]int{}, 100
	for _, name := range slices.Sorted(maps.Keys(named)) {
		percent, err := strconv.Atoi(strings.TrimSuffix(named[name], "%"))
		if err != nil || percent < 0 || percent > 100 {
			return nil, usagef("%s: %q is not a share for %s: use a whole number from 0 to 100", flag, named[name], name)
		}
		if strings.EqualFold(name, latestWord) {
			name = latestWord
		}
		out[name] = percent
		rest -= percent
	}
	if rest < 0 {
		return nil, usagef("%s: the shares are %d percent together, more than 100", flag, 100-rest)
	}
	others, sum := []string(nil), 0
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, isNamed := out[name]; !isNamed && now[name] > 0 {
			others = append(others, name)
			sum += now[name]
		}
	}
	if rest == 0 {
		return out, nil
	}
	if sum == 0 {
		return nil, usagef("%s: the shares are only %d percent together, and nobody else has traffic that could keep the rest", flag, 100-rest)
	}
	left := rest
	for i, name := range others {
		part := rest * now[name] / sum
		if i == len(others)-1 {
			part = left
		}
		out[name], left = part, left-part
	}
	return out, nil
}

// trafficTable is who gets how much, and the URLs, as gcloud shows it.
func trafficTable(s *runpb.Service) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "URL: %s\nTraffic:\n", s.GetUri())
	type row struct {
		percent int32
		tags    []*runpb.TrafficTargetStatus
	}
	rows := map[string]*row{}
	for _, t := range s.GetTrafficStatuses() {
		name := lastOf(t.GetRevision())
		if t.GetType() == runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST {
			name = latestWord + " (currently " + lastOf(s.GetLatestReadyRevision()) + ")"
		}
		if rows[name] == nil {
			rows[name] = &row{}
		}
		rows[name].percent += t.GetPercent()
		if t.GetTag() != "" {
			rows[name].tags = append(rows[name].tags, t)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		if d := rows[b].percent - rows[a].percent; d != 0 {
			return int(d)
		}
		return strings.Compare(b, a)
	}) {
		fmt.Fprintf(&b, "  %-4s %s\n", fmt.Sprintf("%d%%", rows[name].percent), name)
		for _, t := range rows[name].tags {
			fmt.Fprintf(&b, "         %s: %s\n", t.GetTag(), t.GetUri())
		}
	}
	return b.Bytes()
}
