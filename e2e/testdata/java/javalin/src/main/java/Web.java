import io.javalin.Javalin;

/** Answers with Javalin, started by the entrypoint of app.yaml. */
public class Web {
  public static void main(String[] args) {
    Javalin.create()
        .get("/", ctx -> ctx.result("Hello World!"))
        .start(Integer.parseInt(System.getenv("PORT")));
  }
}
