//go:build e2e

package e2e

const javaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>hello</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>com.google.cloud.functions</groupId>
      <artifactId>functions-framework-api</artifactId>
      <version>1.1.4</version>
      <scope>provided</scope>
    </dependency>
    <dependency>
      <groupId>com.google.code.gson</groupId>
      <artifactId>gson</artifactId>
      <version>2.10.1</version>
    </dependency>
  </dependencies>
</project>
`

const javaHello = `package com.example;

import com.google.cloud.functions.HttpFunction;
import com.google.cloud.functions.HttpRequest;
import com.google.cloud.functions.HttpResponse;
import com.google.gson.Gson;
import com.google.gson.JsonObject;

public class Hello implements HttpFunction {
  public void service(HttpRequest request, HttpResponse response) throws Exception {
    if (request.getPath().equals("/crash")) {
      throw new IllegalStateException("told to");
    }
    String name = request.getFirstQueryParameter("name").orElse("World");
    JsonObject body = new Gson().fromJson(request.getReader(), JsonObject.class);
    if (body != null && body.has("name")) {
      name = body.get("name").getAsString();
    }
    response.getWriter().write("Hello " + name + "! " + request.getPath());
  }
}
`

const javaEvent = `package com.example;

import com.google.cloud.functions.CloudEventsFunction;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.cloudevents.CloudEvent;
import java.nio.charset.StandardCharsets;

public class OnEvent implements CloudEventsFunction {
  public void accept(CloudEvent event) {
    String text = new String(event.getData().toBytes(), StandardCharsets.UTF_8);
    JsonObject data = new Gson().fromJson(text, JsonObject.class);
    String what = data.has("name") ? data.get("name").getAsString() : data.getAsJsonObject("message").get("data").getAsString();
    System.out.println("event " + event.getId() + " " + what);
  }
}
`

const javaGradle = `apply plugin: 'java'
sourceCompatibility = 11
repositories {
  maven { url 'https://repo1.maven.org/maven2' }
}
dependencies {
  compileOnly 'com.google.cloud.functions:functions-framework-api:1.1.4'
  implementation 'com.google.code.gson:gson:2.10.1'
}
`

var javaFunctions = []languageFunction{
	{name: "java-gradle", runtime: "java17", needs: "gradle", http: "com.example.Hello", event: "com.example.OnEvent",
		files: map[string]string{
			"build.gradle":                           javaGradle,
			"settings.gradle":                        "rootProject.name = 'hello'\n",
			"src/main/java/com/example/Hello.java":   javaHello,
			"src/main/java/com/example/OnEvent.java": javaEvent,
		},
		found: "class nope is not in build/libs/hello.jar; classes that implement a function there: com.example.Hello, com.example.OnEvent",
	},
	{name: "java-maven", runtime: "java17", needs: "mvn", http: "com.example.Hello", event: "com.example.OnEvent",
		files: map[string]string{
			"pom.xml":                                javaPOM,
			"src/main/java/com/example/Hello.java":   javaHello,
			"src/main/java/com/example/OnEvent.java": javaEvent,
		},
		broken: map[string]string{"src/main/java/com/example/OnEvent.java": "package com.example;\n\npublic class OnEvent {\n  int\n}\n"},
		found:  "class nope is not in target/hello-1.jar; classes that implement a function there: com.example.Hello, com.example.OnEvent",
		says:   "src/main/java/com/example/OnEvent.java:4"},
}
