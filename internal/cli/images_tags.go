package cli

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"github.com/spf13/cobra"
)

func newImagesTagsCommand(env *Env) *cobra.Command {
	cmd := group("tags", "List, set and delete tags of images.",
		newImagesTagsListCommand(env), newImagesTagsAddCommand(env), newImagesTagsDeleteCommand(env))
	cmd.Example = "sunya images tags list hello\nsunya images tags add gcr.io/sunya/hello:v1 gcr.io/sunya/hello:stable"
	return cmd
}

func newImagesTagsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list NAME",
		Short:   "List the tags of an image.",
		Args:    args(1, 1, "the name of an image"),
		Example: "sunya images tags list gcr.io/sunya/hello\nsunya images tags list hello --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error {
				n, err := a.parse(args[0])
				if err != nil {
					return err
				}
				found, err := collect(a.ListTags(cmd.Context(), &artifactregistrypb.ListTagsRequest{Parent: n.pack(), PageSize: 1000}).Next)
				if err != nil {
					return err
				}
				return printList(env, found, table[*artifactregistrypb.Tag]{
					{"TAG", func(t *artifactregistrypb.Tag) string { return lastOf(t.GetName()) }},
					{"DIGEST", func(t *artifactregistrypb.Tag) string { return lastOf(t.GetVersion()) }},
				})
			})
		},
	}
}

func newImagesTagsAddCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "add NAME[:TAG|@DIGEST] NAME:TAG",
		Short:   "Set a tag to an image; one that is set elsewhere moves.",
		Args:    args(2, 2, "an image and a tag of it"),
		Example: "sunya images tags add hello:v1 hello:stable\nsunya images tags add gcr.io/sunya/hello@sha256:… gcr.io/sunya/hello:v2",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error { return addTag(cmd.Context(), env, a, args[0], args[1]) })
		},
	}
}

func addTag(ctx context.Context, env *Env, a *imagesAPI, from, to string) error {
	source, err := a.parse(from)
	if err != nil {
		return err
	}
	target, err := a.parse(to)
	if err != nil {
		return err
	}
	switch {
	case source.pack() != target.pack():
		return usagef("%s and %s are not of one name: docker tag and docker push copy an image to another", from, to)
	case !target.version || target.Digest != "":
		return usagef("%s names no tag: write %s:TAG", to, target.Host+"/"+target.Repository)
	}
	img, err := a.get(ctx, source)
	if err != nil {
		return err
	}
	_, digest, _ := strings.Cut(img.GetUri(), "@")
	tag := &artifactregistrypb.Tag{Name: target.pack() + "/tags/" + target.Tag, Version: target.pack() + "/versions/" + digest}
	if _, err := a.CreateTag(ctx, &artifactregistrypb.CreateTagRequest{Parent: target.pack(), TagId: target.Tag, Tag: tag}); err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "Set %s to %s.\n", printable(to), printable(digest))
	return nil
}

func newImagesTagsDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete NAME:TAG",
		Short:   "Delete a tag; the image stays.",
		Args:    args(1, 1, "a tag of an image"),
		Example: "sunya images tags delete hello:v1\nsunya images tags delete gcr.io/sunya/hello:v1 --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withImages(cmd.Context(), env, func(a *imagesAPI) error {
				n, err := a.parse(args[0])
				if err != nil {
					return err
				}
				if !n.version || n.Digest != "" {
					return usagef("%s names no tag: write %s:TAG", args[0], n.Host+"/"+n.Repository)
				}
				return deleteImage(cmd.Context(), env, a, n, yes, false)
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}
