package javax.annotation;

/** What openapi-generator marks its classes with; Java had it until 10, jakarta.annotation-api has it since. */
public @interface Generated {
    String[] value();

    String date() default "";

    String comments() default "";
}
