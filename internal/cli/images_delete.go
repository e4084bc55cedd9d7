package cli

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"github.com/spf13/cobra"
)

func newImagesDeleteCommand(env *Env) *cobra.Command {
	var yes, tags bool
	cmd := &cobra.Command{
		Use:   "delete NAME[:TAG|@DIGEST]",
		Short: "Delete a tag, an image, or all images of a name.",
		Long: "Delete a tag, an image, or all images of a name.\n\n" +
			"Revisions and jobs that run an image keep running: they have it unpacked.",
		Args:    args(1, 1, "the name of an image"),
		Example: "sunya images delete hello:v1\nsunya images delete gcr.io/sunya/hello@sha256:… --delete-tags",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error {
				n, err := a.parse(args[0])
				if err != nil {
					return err
				}
				return deleteImage(cmd.Context(), env, a, n, yes, tags)
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	boolFlag(cmd.Flags(), &tags, "delete-tags", false, "delete an image that has tags, and them with it")
	cmd.Flags().BoolVar(&tags, "force-delete-tags", false, "the same")
	_ = cmd.Flags().MarkHidden("force-delete-tags") // it exists: the line above
	return cmd
}

func deleteImage(ctx context.Context, env *Env, a *imagesAPI, n imageRef, yes, tags bool) error {
	name, what := n.Host+"/"+n.Repository, ""
	switch {
	case n.Digest != "":
		what = "image " + name + "@" + n.Digest
	case n.version:
		what = "tag " + name + ":" + n.Tag
	default:
		what = "every image of the name " + name
	}
	if err := confirm(env, yes, strings.ToUpper(what[:1])+what[1:]+" will be deleted."); err != nil {
		return err
	}
	if err := a.remove(ctx, n, tags); err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "Deleted %s.\n", printable(what))
	return nil
}

// remove deletes what a name stands for.
func (a *imagesAPI) remove(ctx context.Context, n imageRef, tags bool) error {
	switch {
	case n.Digest != "":
		op, err := a.DeleteVersion(ctx, &artifactregistrypb.DeleteVersionRequest{Name: n.pack() + "/versions/" + n.Digest, Force: tags})
		if err != nil {
			return err
		}
		return op.Wait(ctx)
	case n.version:
		return a.DeleteTag(ctx, &artifactregistrypb.DeleteTagRequest{Name: n.pack() + "/tags/" + n.Tag})
	}
	op, err := a.DeletePackage(ctx, &artifactregistrypb.DeletePackageRequest{Name: n.pack()})
	if err != nil {
		return err
	}
	return op.Wait(ctx)
}
